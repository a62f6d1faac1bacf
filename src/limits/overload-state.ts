/**
 * 0 nothing; 1 no shadows; 2 no recovery shadows either; 3 new sessions get no more places than the event loop bears;
 * 4 nor do turns of sessions, and load balancers are told. Running turns go on at every level.
 */
export type OverloadLevel = 0 | 1 | 2 | 3 | 4

/** What is seen at one look. */
export interface Look {
  /** monotonic ms */
  readonly at: number
  /** mean ms that the event loop was late since the last look */
  readonly delayMs: number
  readonly open: number
  readonly maxStreams: number
  /** turns refused since the last look because too many others were about to begin, though places were free */
  readonly turnedAway: number
  /** `overloadDelayMs`; 0: neither the delay nor who was turned away says anything */
  readonly limitMs: number
}

interface Common {
  /** what the last look alone asked for; one look is not enough, because a garbage collection looks the same */
  readonly asked: OverloadLevel
  /** since when the level is higher than needed, monotonic ms */
  readonly calmSince: number | null
  /** open streams of the last looks, older ones for less: a single long round leaves few of them open for a moment */
  readonly lately: number
}

export type Overload =
  | (Common & { readonly kind: 'spares'; readonly level: 0 | 1 | 2 })
  /** `places`: open streams that the event loop bears, by what was seen of it */
  | (Common & { readonly kind: 'sheds'; readonly level: 3 | 4; readonly places: number })

export const NO_OVERLOAD: Overload = { kind: 'spares', level: 0, asked: 0, calmSince: null, lately: 0 }

/** of `limitMs`, for each level */
const DELAY_SHARES = [0.5, 0.75, 1, 4] as const
/** of `maxStreams`; above level 2 the places themselves are the limit */
const STREAM_SHARES = [0.8, 0.9] as const
/** turns turned away between two looks; fewer are a burst that met a full line */
const TURNED_AWAY = 10
/** with fewer places a single turn is a large share of them */
const LEAST_STREAMS = 20
/** a level ends below so much of what begins it */
const CALM_SHARE = 0.7
/** ms of calm after which the level is one less; the highest one keeps balancers away and comes back slower */
const CALM_MS = 2_000
const CALM_AT_TOP_MS = 5_000
/** places are never fewer: the service always serves somebody */
const LEAST_PLACES = 10
/** of the open streams: what is left when shedding begins, with each late look, at the least, and gained with each good one */
const BEGIN_SHARE = 0.9
/** of `lately`, from one look to the next */
const LATELY_SHARE = 0.9
const LATE_SHARE = 0.95
const LEAST_SHARE = 0.8
const GAIN_SHARE = 0.02
/** the same while the loop is in time: then the places must not be what holds turns back */
const ROOM_SHARE = 0.1
/** of `limitMs`: below it the loop is in time */
const IN_TIME_SHARE = 0.35
/** of the places: from there on they are what holds turns back */
const BINDING_SHARE = 0.95

/** The next state. Pure. */
export function afterLook(state: Overload, look: Look): Overload {
  const asked = levelFor(look, 1)
  const wanted = Math.min(asked, state.asked)
  if (wanted > state.level) return at(toLevel(wanted), asked, null, state, look)
  const isCalm = levelFor(look, CALM_SHARE) < state.level && !isBinding(state, look)
  if (!isCalm) return at(state.level, asked, null, state, look)
  const since = state.calmSince ?? look.at
  const calmMs = state.level === 4 ? CALM_AT_TOP_MS : CALM_MS
  if (look.at - since < calmMs) return at(state.level, asked, since, state, look)
  return at(toLevel(state.level - 1), asked, null, state, look)
}

function at(
  level: OverloadLevel,
  asked: OverloadLevel,
  calmSince: number | null,
  before: Overload,
  look: Look,
): Overload {
  const lately = Math.max(look.open, before.lately * LATELY_SHARE)
  if (level !== 3 && level !== 4) return { kind: 'spares', level, asked, calmSince, lately }
  const places = Math.max(LEAST_PLACES, Math.min(look.maxStreams, placesAfter(before, look)))
  return { kind: 'sheds', level, asked, calmSince, lately, places }
}

/**
 * Fewer while the loop is late; more while it is not late and turns are held back. Never far from the number of open streams, because
 * those end only by themselves.
 */
function placesAfter(before: Overload, { delayMs, open, limitMs }: Look): number {
  const borne = Math.max(open, before.lately)
  switch (before.kind) {
    case 'spares':
      // With a loop that is in time, the turns that begin are few enough already.
      return delayMs < limitMs ? withRoom(borne) : Math.floor(borne * BEGIN_SHARE)
    case 'sheds': {
      const { places } = before
      if (delayMs >= limitMs)
        return Math.floor(Math.max(Math.min(places, borne) * LATE_SHARE, open * LEAST_SHARE))
      const mayGain = delayMs < limitMs * CALM_SHARE && open >= places * BINDING_SHARE
      if (!mayGain) return places
      const gain = delayMs < limitMs * IN_TIME_SHARE ? ROOM_SHARE : GAIN_SHARE
      return places + Math.ceil(places * gain)
    }
  }
}

const withRoom = (open: number): number => Math.ceil(open) + Math.ceil(open * ROOM_SHARE)

const isBinding = (state: Overload, { open }: Look): boolean =>
  state.kind === 'sheds' && open >= state.places * BINDING_SHARE

/** @param share of the thresholds, 1 to reach a level, less to leave it */
function levelFor({ delayMs, open, maxStreams, turnedAway, limitMs }: Look, share: number): OverloadLevel {
  const byDelay = limitMs === 0 ? 0 : DELAY_SHARES.filter((one) => delayMs >= limitMs * one * share).length
  const byStreams =
    maxStreams < LEAST_STREAMS ? 0 : STREAM_SHARES.filter((one) => open >= maxStreams * one * share).length
  const byTurns = limitMs > 0 && turnedAway >= TURNED_AWAY * share ? 3 : 0
  return toLevel(Math.max(byDelay, byStreams, byTurns))
}

function toLevel(level: number): OverloadLevel {
  if (level <= 0) return 0
  if (level === 1) return 1
  if (level === 2) return 2
  return level === 3 ? 3 : 4
}
