import type { Clock } from '../core/clock.js'
import { guarded } from '../core/guarded.js'
import type { Logger } from '../core/logger.js'
import type { Flags } from '../decision/flags.js'
import { type ChatLimits, type EnvironmentLimits, weightOf } from '../limits/chat-limits.js'
import { createFairPlaces } from '../limits/fair-places.js'
import type { OverloadWatch } from '../limits/overload.js'
import type { RefusalReason } from '../limits/refusal.js'
import { createStartPace } from '../limits/start-pace.js'
import { createStartRates, type Quota, type RateAsk, type StartRates } from '../limits/start-rates.js'
import { Tally } from '../limits/tally.js'
import { secondsLeftToday, type TokenUsage } from '../limits/token-usage.js'
import type { SessionOwner } from '../sessions/session-store.js'
import { TurnRefused } from './turn-refused.js'
import type { TurnPlace, TurnRegistry } from './turn-registry.js'

export interface Admission {
  /** `next`: a turn of a session that is there; those are the last to be refused */
  readonly kind: 'new' | 'next'
  /** told what is left of the asker's limits, where there are any; also when this turn is refused for one */
  tell?(quotas: readonly Quota[]): void
}

/** Whether a turn may begin at all. */
export interface Limits {
  /**
   * Takes a place among the running turns; the caller closes it. May wait for one, at most 200 ms, or a second in a burst and
   * where another org that waits asks for much more. @throws TurnRefused
   */
  admit(asker: SessionOwner, admission: Admission): Promise<TurnPlace>
  /** Whether new sessions are held back, for an overload or because too many turns are about to begin. */
  isShedding(): boolean
  /** True where a new session would be refused at once for that; it is counted then. No other limit is asked. */
  refusedAtOnce(asker: SessionOwner): Promise<boolean>
  /** Takes a place for one who only reads a turn of this owner; the caller closes it. Also while draining. @throws TurnRefused */
  admitReader(owner: SessionOwner): Promise<Pick<TurnPlace, 'close'>>
}

export interface LimitsDeps {
  readonly config: EnvironmentLimits
  readonly clock: Clock
  readonly logger: Logger
  readonly flags: Pick<Flags, 'limitsFor'>
  readonly turns: Pick<TurnRegistry, 'open'>
  readonly usage: Pick<TokenUsage, 'used'>
  readonly overload: Pick<OverloadWatch, 'level' | 'places' | 'onLook' | 'turnedAway'>
  readonly metrics: { recordRefusal(reason: RefusalReason): void }
  readonly lifecycle: { state(): 'starting' | 'ready' | 'leaving' | 'draining' }
  /** default: in this process alone */
  readonly rates?: StartRates
}

/** s after which a refused client may come back: a start takes about one, a rolling restart some more, an overload as well */
export const RETRY_AFTER = { starting: 1, draining: 5, full: 1, overloaded: 3, streams: 5 } as const

const DAY_SECONDS = 86_400

/** Of nobody's org: the flags for all together. */
const FOR_ALL = ''

export function createLimits(deps: LimitsDeps): Limits {
  return new TurnLimits(deps)
}

class TurnLimits implements Limits {
  readonly #turnsOf = new Tally()
  readonly #readersOf = new Tally()
  readonly #rates: StartRates
  readonly #places: ReturnType<typeof createFairPlaces>
  #maxStreams: number
  #isPaced = true

  constructor(private readonly deps: LimitsDeps) {
    const { clock, overload, config } = deps
    this.#rates = deps.rates ?? createStartRates(clock)
    this.#maxStreams = config.maxStreams
    const pace = createStartPace((callback) => void setImmediate(callback))
    this.#places = createFairPlaces({
      clock,
      pace: { ...pace, mayStart: (kind) => !this.#isPaced || pace.mayStart(kind) },
      capacity: () => {
        const most = this.#maxStreams
        const borne = Math.min(most, overload.places ?? most)
        return { places: overload.level === 4 ? borne : most, newPlaces: borne }
      },
    })
    overload.onLook(() => this.#places.fill())
  }

  async admit(asker: SessionOwner, { kind, tell }: Admission): Promise<TurnPlace> {
    this.#assertRunning()
    const limits = await this.#limitsFor(asker.orgId)
    const uncount = this.#count(this.#turnsOf, asker, limits)
    const asks = this.#rateAsks(asker, limits)
    let isTaken = false
    try {
      const quotas: Quota[] = []
      const tokens = await this.#tokens(asker.orgId, limits)
      if (tokens !== undefined) quotas.push(tokens)
      if (tokens?.remaining === 0) {
        tell?.(quotas)
        this.#refuse('org_tokens', 'quota_exceeded', tokens.resetSeconds)
      }
      const taken = await this.#rates.take(asks)
      quotas.unshift(...taken.quotas)
      if (quotas.length > 0) tell?.(first(quotas, taken.refused?.by ?? 0))
      if (taken.refused !== undefined) {
        const { by, waitSeconds } = taken.refused
        this.#refuse(asks[by]?.reason ?? 'user_rate', 'rate_limited', waitSeconds)
      }
      isTaken = true
      return await this.#placeFor(asker, kind, limits, uncount)
    } catch (thrown) {
      uncount()
      if (isTaken) await this.#rates.giveBack(asks)
      throw thrown
    }
  }

  isShedding(): boolean {
    const isShedding = this.deps.overload.level >= 3 || this.#places.holdsBack
    return isShedding && this.deps.lifecycle.state() === 'ready'
  }

  async refusedAtOnce({ orgId }: SessionOwner): Promise<boolean> {
    const weight = weightOf(await this.#limitsFor(orgId), orgId)
    if (!this.#places.wouldRefuse({ orgId, weight, kind: 'new' })) return false
    if (this.#places.taken < this.#maxStreams) this.deps.overload.turnedAway()
    this.#recordRefusal('overload')
    return true
  }

  async admitReader(owner: SessionOwner): Promise<Pick<TurnPlace, 'close'>> {
    const uncount = this.#count(this.#readersOf, owner, await this.#limitsFor(owner.orgId))
    const giveBack = this.#places.takeNow(owner.orgId, this.#maxStreams)
    if (giveBack === undefined) {
      uncount()
      this.#refuse('full', 'overloaded', RETRY_AFTER.full)
    }
    const place = this.deps.turns.open()
    // There is nothing to abort: it ends with the turn that it reads.
    place.ended()
    return closing(place, uncount, giveBack)
  }

  async #placeFor(
    { orgId }: SessionOwner,
    kind: Admission['kind'],
    limits: ChatLimits,
    uncount: () => void,
  ): Promise<TurnPlace> {
    const giveBack = await this.#places.take({ orgId, weight: weightOf(limits, orgId), kind })
    if (giveBack === undefined) {
      const isTurnedAway = this.#places.taken < this.#maxStreams
      if (isTurnedAway) this.deps.overload.turnedAway()
      const isShed = isTurnedAway || this.deps.overload.level >= 3
      this.#refuse(
        isShed ? 'overload' : 'full',
        'overloaded',
        isShed ? RETRY_AFTER.overloaded : RETRY_AFTER.full,
      )
    }
    try {
      // It may have waited.
      this.#assertRunning()
    } catch (thrown) {
      giveBack()
      throw thrown
    }
    return closing(this.deps.turns.open(), uncount, giveBack)
  }

  #assertRunning(): void {
    const state = this.deps.lifecycle.state()
    if (state === 'starting' || state === 'draining') throw new TurnRefused(state, RETRY_AFTER[state])
  }

  /** Both come from memory, except the first time and after a change of the flags. */
  async #limitsFor(orgId: string): Promise<ChatLimits> {
    const { flags, config } = this.deps
    const forAll = await flags.limitsFor(FOR_ALL)
    this.#maxStreams = forAll.maxStreams ?? config.maxStreams
    this.#isPaced = forAll.overloadDelayMs > 0
    return flags.limitsFor(orgId)
  }

  /** One more of the user and the org. @returns how to take it back, once @throws TurnRefused */
  #count(tally: Tally, asker: SessionOwner, { streamsPerUser, streamsPerOrg }: ChatLimits): () => void {
    const counted = [
      { key: userKey(asker), limit: streamsPerUser, reason: 'user_streams' },
      { key: orgKey(asker), limit: streamsPerOrg, reason: 'org_streams' },
    ] as const
    for (const { key, limit, reason } of counted)
      if (limit !== null && limit > 0 && tally.of(key) >= limit)
        this.#refuse(reason, 'too_many_streams', RETRY_AFTER.streams)
    for (const { key } of counted) tally.add(key)
    let isCounted = true
    return () => {
      if (!isCounted) return
      isCounted = false
      for (const { key } of counted) tally.remove(key)
    }
  }

  #rateAsks(asker: SessionOwner, limits: ChatLimits): (RateAsk & { readonly reason: RefusalReason })[] {
    const perUser = limits.startsPerMinutePerUser ?? this.deps.config.turnsPerMinute
    const perOrg = limits.startsPerMinutePerOrg ?? 0
    const asks = [
      { key: userKey(asker), limit: perUser, reason: 'user_rate' },
      { key: orgKey(asker), limit: perOrg, reason: 'org_rate' },
    ] as const
    return asks.filter(({ limit }) => limit > 0)
  }

  async #tokens(orgId: string, { tokensPerDayPerOrg: limit }: ChatLimits): Promise<Quota | undefined> {
    if (limit === null || limit === 0) return undefined
    const remaining = Math.max(0, limit - (await this.deps.usage.used(orgId)))
    const resetSeconds = secondsLeftToday(this.deps.clock.wall())
    return { limit, remaining, resetSeconds, windowSeconds: DAY_SECONDS }
  }

  #recordRefusal(reason: RefusalReason): void {
    guarded(this.deps.logger, 'metrics', () => this.deps.metrics.recordRefusal(reason))
  }

  #refuse(reason: RefusalReason, refusal: TurnRefused['refusal'], retryAfterSeconds: number): never {
    this.#recordRefusal(reason)
    throw new TurnRefused(refusal, retryAfterSeconds)
  }
}

const orgKey = ({ orgId }: SessionOwner): string => `org ${orgId}`
const userKey = ({ orgId, userId }: SessionOwner): string => `user ${JSON.stringify([orgId, userId])}`

/** The limit that refuses, or the first one, before the others. */
function first(quotas: readonly Quota[], at: number): readonly Quota[] {
  const head = quotas[at]
  return head === undefined ? quotas : [head, ...quotas.filter((quota) => quota !== head)]
}

/** The place, which gives everything back when it is closed. */
function closing(place: TurnPlace, ...then: readonly (() => void)[]): TurnPlace {
  return {
    ...place,
    close() {
      place.close()
      for (const step of then) step()
    },
  }
}
