import type { ComparisonQuery } from '../../journal/comparison.js'
import { spanOfQuery } from './span-query.js'

const WEEK_MS = 7 * 86_400_000

/** The span, org and agent that a request about shadows asks for, of either control. */
export type ShadowSubject = Omit<ComparisonQuery, 'controlMode'>

/** What is absent: the last 7 days, all orgs, all agents. @throws Problem 400 with one line a field */
export function shadowSubject(
  {
    orgId,
    agentId,
    ...instants
  }: { readonly [name in 'from' | 'to' | 'orgId' | 'agentId']?: string | undefined },
  now: number,
): ShadowSubject {
  return {
    ...spanOfQuery(instants, now, WEEK_MS),
    ...(orgId === undefined ? {} : { orgId }),
    ...(agentId === undefined ? {} : { agentId }),
  }
}
