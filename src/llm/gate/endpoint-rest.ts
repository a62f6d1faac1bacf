/** failures in a row after which an endpoint rests */
export const FAILURES_IN_A_ROW = 5
/** ms of the first rest; each further one is twice as long */
const FIRST_REST_MS = 5000
/** ms of the longest rest that we choose ourselves */
export const LONGEST_REST_MS = 60_000
/** ms between two tries of an endpoint that rests, where no other is left */
const EARLY_EVERY_MS = 1500
/** ms that a server can ask for at most: by a wrong `Retry-After` it must not be gone for a day */
const LONGEST_ASKED_MS = 600_000

/**
 * Whether an endpoint is asked. Instants are monotonic ms. `asked`: the server itself named the time (429 with
 * `Retry-After`). `probe`: number of the one turn that tries it now.
 */
export type Rest =
  | { readonly kind: 'working'; readonly failures: number }
  | {
      readonly kind: 'resting'
      readonly until: number
      readonly lengthMs: number
      readonly asked: boolean
      /** when it was asked last */
      readonly triedAt: number
      readonly probe?: number
    }

export const WORKING: Rest = { kind: 'working', failures: 0 }

/**
 * What a turn may do: `free` ask; `probe` ask, as the only one; `early` as `probe`, but only if no other endpoint is left,
 * since the rest is not over; `no` leave it alone.
 */
export type Permission = 'free' | 'probe' | 'early' | 'no'

export function permission(rest: Rest, now: number): Permission {
  if (rest.kind === 'working') return 'free'
  if (rest.probe !== undefined) return 'no'
  if (now >= rest.until) return 'probe'
  return rest.asked || now < rest.triedAt + EARLY_EVERY_MS ? 'no' : 'early'
}

/** Turn number `probe` tries the endpoint now. */
export function probed(rest: Rest, probe: number, now: number): Rest {
  return rest.kind === 'working' ? rest : { ...rest, probe, triedAt: now }
}

export interface Failed {
  readonly now: number
  /** number of the turn where it was the probe */
  readonly probe: number | undefined
  /** the server said 429 and this `Retry-After` */
  readonly retryAfterMs?: number
}

export function afterFailure(rest: Rest, { now, probe, retryAfterMs = 0 }: Failed): Rest {
  if (retryAfterMs > 0) return askedToRest(afterNothing(rest, probe), now, retryAfterMs)
  if (rest.kind === 'working') {
    const failures = rest.failures + 1
    if (failures < FAILURES_IN_A_ROW) return { kind: 'working', failures }
    return resting(now, FIRST_REST_MS)
  }
  // One that was on its way when the rest began tells nothing new.
  if (probe === undefined || rest.probe !== probe) return rest
  // Tried before its time: the rest goes on as it was.
  if (now < rest.until) return afterNothing(rest, probe)
  return resting(now, rest.asked ? FIRST_REST_MS : Math.min(rest.lengthMs * 2, LONGEST_REST_MS))
}

/** First content came: an endpoint that rested is back. A row of failures ends only with a whole answer. */
export function afterContent(rest: Rest): Rest {
  return rest.kind === 'working' ? rest : WORKING
}

/** The whole answer came, or a refusal that shows that the server works. */
export function afterAnswer(rest: Rest): Rest {
  return rest.kind === 'working' && rest.failures === 0 ? rest : WORKING
}

/** The turn ended without a word about the endpoint: its user left. */
export function afterNothing(rest: Rest, probe: number | undefined): Rest {
  if (rest.kind === 'working' || probe === undefined || rest.probe !== probe) return rest
  const { probe: _ended, ...without } = rest
  return without
}

function resting(now: number, lengthMs: number): Rest {
  return { kind: 'resting', until: now + lengthMs, lengthMs, asked: false, triedAt: now }
}

function askedToRest(rest: Rest, now: number, retryAfterMs: number): Rest {
  const until = now + Math.min(retryAfterMs, LONGEST_ASKED_MS)
  if (rest.kind === 'working')
    return { kind: 'resting', until, lengthMs: FIRST_REST_MS, asked: true, triedAt: now }
  // The server answers, and knows better than we how long it needs.
  return { ...rest, until: rest.asked ? Math.max(rest.until, until) : until, asked: true }
}
