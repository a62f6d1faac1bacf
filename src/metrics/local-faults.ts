import type { Clock } from '../core/clock.js'
import { OWN_DNS } from '../core/local-fault.js'
import type { Outcome } from '../execution/outcome.js'

/** Faults of our own machine: kept out of the evidence, and told. */
export interface LocalFaults {
  /** Hands on to `record` what is evidence; a name that was not resolved after a look at the direct LLM's. */
  sift(outcome: Outcome, record: (outcome: Outcome) => void): void
  /** @param code the system's code, `own_dns`, or `held_up`: this process stood still */
  note(code: string): void
  /** what was noted in the last minute, the newest first */
  recent(): readonly string[]
  /** since the start */
  readonly count: number
}

export interface LocalFaultsOptions {
  readonly clock: Clock
  /** Whether the direct LLM's name is not resolved either. Never rejects; bounded. */
  dnsIsOurs(): Promise<boolean>
}

/** ms for which one is told */
const RECENT_MS = 60_000

export function createLocalFaults({ clock, dnsIsOurs }: LocalFaultsOptions): LocalFaults {
  const notedAt = new Map<string, number>()
  let count = 0
  const note = (code: string): void => {
    count += 1
    notedAt.delete(code)
    notedAt.set(code, clock.monotonic())
  }
  return {
    note,
    sift(outcome, record) {
      if (outcome.localFault !== undefined) note(outcome.localFault)
      else if (outcome.isDnsFault !== true || outcome.mode === 'direct_llm') record(outcome)
      else
        void dnsIsOurs().then((isOurs) => {
          if (isOurs) note(OWN_DNS)
          else record(outcome)
        })
    },
    recent() {
      const since = clock.monotonic() - RECENT_MS
      return [...notedAt]
        .filter(([, at]) => at > since)
        .map(([code]) => code)
        .reverse()
    },
    get count() {
      return count
    },
  }
}
