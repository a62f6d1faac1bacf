import type { JudgedLog, LogReach, Tally } from '../../metrics/windows/windows.js'
import { covers, SCOPE_DIMENSIONS, type Scope, type ScopeSubject } from '../../protocol/fallback-scope.js'
import { failingIds, isRateCause, leastExecutions } from './attribution.js'
import {
  type Evidence,
  type FallbackGuardrails,
  NO_TALLY,
  type RuntimeWindows,
  type Suspects,
} from './evidence.js'
import { breachingRow, judge, recoveryReach } from './verdict.js'

/** ms: where few turns come, recovery is judged over as many as it takes, a day back at most */
export const LONGEST_MS = 86_400_000

type Who = (subject: ScopeSubject) => boolean
type Told = Pick<Evidence, 'scoped' | 'suspects'>

/**
 * The runtime's executions by whom they were for, as far as the machine needs it: inside and outside of a scope while there is
 * one, and who fails while the rates of all, or of all outside, are in breach. By what the log holds.
 */
export function evidenceByScope(
  log: JudgedLog,
  scope: Scope | undefined,
  all: RuntimeWindows,
  quietForMs: number,
  guardrails: FallbackGuardrails,
): Told {
  const suspects = suspectsOf(log, SCOPE_DIMENSIONS, everybody, all, guardrails)
  if (scope === undefined) return suspects
  const isInside: Who = among(scope)
  const isOutside: Who = (subject) => !isInside(subject)
  // What usually fails, and how long the first content takes, are not told apart: they are everybody's.
  const { firstContent, usual } = all
  const rest = {
    ...windowsOf(log, isOutside, guardrails, usual),
    ...(firstContent === undefined ? {} : { firstContent }),
    ...(usual === undefined ? {} : { usual }),
  }
  const inside = windowsOf(log, isInside, guardrails)
  const further = suspectsOf(log, [scope.dimension], isOutside, rest, guardrails)
  return { ...suspects, scoped: { scope, inside, rest, ...further, quietForMs } }
}

function suspectsOf(
  log: JudgedLog,
  dimensions: readonly Suspects['dimension'][],
  who: Who,
  { slow, fast, changed, usual }: Pick<RuntimeWindows, 'slow' | 'fast' | 'changed' | 'usual'>,
  guardrails: FallbackGuardrails,
): Pick<Told, 'suspects'> {
  if (!guardrails.scoped) return {}
  const windows: readonly (readonly [Tally, LogReach])[] = [
    [slow, slowReach(guardrails)],
    [fast, fastReach(guardrails)],
    ...(changed === undefined ? [] : [[changed, newestOf(changed.total)] as const]),
  ]
  const breach = windows
    .map(([window, reach]) => ({ reach, verdict: judge(window, guardrails, usual) }))
    .find(({ verdict }) => verdict.kind === 'breach')
  if (breach?.verdict.kind !== 'breach') return {}
  const { reach } = breach
  const { cause } = breach.verdict.trip
  if (!isRateCause(cause)) return {}
  const suspects = dimensions.map((dimension): Suspects => {
    const byId = log.byId(dimension, who, reach)
    const ids = failingIds(byId, cause, guardrails)
    if (ids.length === 0) return { dimension, ids, tally: NO_TALLY, left: NO_TALLY, others: NOBODY }
    const isFailing = among({ dimension, ids })
    const isOther: Who = (subject) => who(subject) && !isFailing(subject)
    const others = {
      slow: log.tally(isOther, slowReach(guardrails)),
      fast: log.tally(isOther, fastReach(guardrails)),
      newest: log.tally(isOther, newestReach(guardrails)),
    }
    const [tally, left] = parted(byId, ids)
    return { dimension, ids, tally, left, others }
  })
  return { suspects }
}

/** Those of the ids together, and all others. */
function parted(byId: ReadonlyMap<string, Tally>, ids: readonly string[]): readonly [Tally, Tally] {
  const isFailing = new Set(ids)
  const entries = [...byId]
  return [
    sumOf(entries.filter(([id]) => isFailing.has(id)).map(([, tally]) => tally)),
    sumOf(entries.filter(([id]) => !isFailing.has(id)).map(([, tally]) => tally)),
  ]
}

const sumOf = (tallies: readonly Tally[]): Tally =>
  tallies.reduce(
    (sum, { total, errors, timeouts, latencySumMs }) => ({
      total: sum.total + total,
      errors: sum.errors + errors,
      timeouts: sum.timeouts + timeouts,
      latencySumMs: sum.latencySumMs + latencySumMs,
    }),
    NO_TALLY,
  )

const NOBODY = { slow: NO_TALLY, fast: NO_TALLY, newest: NO_TALLY }
const everybody: Who = () => true

/** Asked for each execution: of 20 ids a set is quicker than a list. */
function among({ dimension, ids }: Scope): Who {
  if (ids.length < 4) return (subject) => covers({ dimension, ids }, subject)
  const set = new Set(ids)
  return ({ orgId, agentId }) => set.has(dimension === 'orgs' ? orgId : agentId)
}

function windowsOf(
  log: JudgedLog,
  who: Who,
  guardrails: FallbackGuardrails,
  usual?: RuntimeWindows['usual'],
): RuntimeWindows {
  return {
    slow: log.tally(who, slowReach(guardrails)),
    fast: log.tally(who, fastReach(guardrails)),
    recent: log.tally(who, {
      fastMs: guardrails.fastWindowSeconds * 1000,
      atLeast: recoveryReach(guardrails),
      windowMs: LONGEST_MS,
    }),
    streak: log.streak(who, breachingRow(guardrails, usual)),
  }
}

const slowReach = ({ windowSeconds }: FallbackGuardrails): LogReach => ({
  fastMs: windowSeconds * 1000,
  atLeast: 0,
  windowMs: windowSeconds * 1000,
})

const fastReach = ({ fastWindowSeconds, windowSeconds, minSamples }: FallbackGuardrails): LogReach => ({
  fastMs: Math.min(fastWindowSeconds, windowSeconds) * 1000,
  atLeast: 2 * minSamples,
  windowMs: windowSeconds * 1000,
})

const newestOf = (executions: number): LogReach => ({ fastMs: 0, atLeast: executions, windowMs: LONGEST_MS })

const newestReach = (guardrails: FallbackGuardrails): LogReach => ({
  fastMs: 0,
  atLeast: leastExecutions(guardrails),
  windowMs: guardrails.windowSeconds * 1000,
})
