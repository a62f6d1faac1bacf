/**
 * Why a turn did not begin: `full` all places are taken; `overload` the process has more to do than it can; the others are limits of the
 * flag or the environment.
 */
export const REFUSAL_REASONS = [
  'full',
  'overload',
  'user_streams',
  'org_streams',
  'user_rate',
  'org_rate',
  'org_tokens',
] as const
export type RefusalReason = (typeof REFUSAL_REASONS)[number]
