import { z } from 'zod'
import { fallbackScopeSchema } from './fallback-scope.js'
import { flagEditEventSchema } from './flag-edit-record.js'

/** Words, answers and events of the fallback, as operators' clients see them. */

/** The key of the override, in its file and at any provider. */
export const OVERRIDE_FLAG_KEY = 'chat-runtime-fallback'

/** The automatic layer of the override. */
export const FALLBACK_STATES = ['normal', 'fallback', 'recovering'] as const
export const fallbackStateSchema = z.enum(FALLBACK_STATES)
export type FallbackStateName = z.infer<typeof fallbackStateSchema>

/** What can trip the automatic layer. */
export const TRIP_CAUSES = ['error_rate', 'timeout_rate', 'latency', 'first_content', 'health'] as const
export const tripCauseSchema = z.enum(TRIP_CAUSES)
export type TripCause = z.infer<typeof tripCauseSchema>

export const fallbackCauseSchema = z.enum([...TRIP_CAUSES, 'manual'])
export type FallbackCause = z.infer<typeof fallbackCauseSchema>

export const MANUAL_SCOPES = ['none', 'all', 'orgs'] as const
export const manualScopeSchema = z.enum(MANUAL_SCOPES)
export type ManualScope = z.infer<typeof manualScopeSchema>

export const actorSchema = z.enum(['auto', 'manual'])
/** Who changed the override: the loop, or a person (API, CLI or an edit of the file). */
export type Actor = z.infer<typeof actorSchema>

const instant = z.string()
const count = z.number().int().min(0)

/** One mode's window. Times in ms, rates 0 to 1, all 0 if nothing was measured. A timeout is also an error. */
export const windowMetricsSchema = z.strictObject({
  total: count,
  success: count,
  error: count,
  timeout: count,
  avgLatencyMs: z.number(),
  errorRate: z.number(),
  timeoutRate: z.number(),
  aborted: count,
  rejected: count.describe('Refused by the upstream for what the user sent; in no other figure'),
  abandoned: count.describe(
    'Left by their users before the commit point after `abandonAfterMs`; in no other figure',
  ),
  p50LatencyMs: z.number(),
  p95LatencyMs: z.number(),
  p99LatencyMs: z.number(),
  avgFirstContentMs: z.number(),
  p95FirstContentMs: z.number(),
})
export type WindowMetrics = z.infer<typeof windowMetricsSchema>

/** `GET /runtime/metrics`. */
export const metricsSchema = z.strictObject({
  direct: windowMetricsSchema,
  runtime: windowMetricsSchema,
  fallbackEnabled: z.boolean(),
  fallbackReason: z.string().describe('`""` when there is no fallback'),
})
export type MetricsView = z.infer<typeof metricsSchema>

/** `GET /runtime/metrics/:orgId`. */
export const orgMetricsSchema = z.strictObject({
  orgId: z.string(),
  direct: windowMetricsSchema,
  runtime: windowMetricsSchema,
})
export type OrgMetricsView = z.infer<typeof orgMetricsSchema>

/** For whom the automatic fallback is; null if there is none. */
const scopeFields = {
  scope: fallbackScopeSchema.nullable(),
  scopeIds: z.array(z.string()).describe('Of the orgs or agents; empty if it is for everybody'),
}

/** What trips and transitions are about. `value` and `threshold`: rates 0 to 1, latency and first content in ms, health in failed probes. */
export const fallbackDataSchema = z.strictObject({
  state: fallbackStateSchema,
  ...scopeFields,
  cause: fallbackCauseSchema.nullable(),
  value: z.number().nullable(),
  threshold: z.number().nullable(),
  since: instant.nullable(),
  holdUntil: instant.nullable(),
  trips: count,
  recoveringPercent: z.number().nullable(),
  persisted: z.boolean().describe('The override as decided is in the flag store'),
  propagated: z.boolean().describe('It was also seen again through OpenFeature'),
  propagationMs: z.number().nullable().describe('ms from the decision to that; null while it is not seen'),
  revision: count,
  replica: z.string().describe('Who wrote that revision'),
})
export type FallbackData = z.infer<typeof fallbackDataSchema>

/** Values of flag `chat-runtime-fallback-policy`. */
export const FALLBACK_POLICIES = ['auto', 'observe', 'off'] as const
export const fallbackPolicySchema = z.enum(FALLBACK_POLICIES)
export type FallbackPolicy = z.infer<typeof fallbackPolicySchema>

/** Where a replica is in its life: `leaving` and `draining` are told to stop; `stopped` said so before its end. */
export const REPLICA_STATES = ['starting', 'ready', 'leaving', 'draining', 'stopped'] as const
export const replicaStateSchema = z.enum(REPLICA_STATES)
export type ReplicaState = z.infer<typeof replicaStateSchema>

/** One of the replicas that share the database. */
export const replicaSchema = z.strictObject({
  name: z.string(),
  version: z.string().describe('Of the package'),
  state: replicaStateSchema.describe('As it told last; one that was killed tells nothing more'),
  firstSeen: instant.describe('Of this name, within the last day'),
  lastSeen: instant.describe('A running replica reports itself every 10 s'),
})
export type ReplicaView = z.infer<typeof replicaSchema>

/** `GET /runtime/fallback/status`, and the answers of `reset` and `trigger`. */
export const fallbackStatusSchema = z.strictObject({
  fallbackEnabled: z.boolean(),
  fallbackReason: z.string(),
  fallback: fallbackDataSchema,
  manual: z.strictObject({
    scope: manualScopeSchema,
    orgIds: z
      .array(z.string())
      .describe('The orgs of a scoped one; empty too where a person wrote a rule of their own into the file'),
    reason: z.string(),
    until: instant.nullable(),
  }),
  policy: fallbackPolicySchema,
  wouldTrip: z.string().describe('Policy `observe`: what would have tripped, while it holds; `""` otherwise'),
  probe: z.strictObject({
    healthy: z.boolean().nullable(),
    failures: count.describe('Bad answers in a row'),
    at: instant.nullable().describe('Of the last probe; null before the first'),
  }),
  lease: z.strictObject({ holder: z.string().nullable(), mine: z.boolean() }),
  isolated: z
    .boolean()
    .describe('This replica alone stays with the direct LLM: it was in breach while others recover'),
  alerts: z.array(z.string()).describe('What an operator has to look at, one sentence each'),
  alertKinds: z
    .array(z.string())
    .describe('The name of each alert, in the same order; docs/runbook.md has a section of that name'),
  replica: z.string().describe('This process'),
  replicas: z
    .array(replicaSchema)
    .describe('Those that shared the database in the last day, this one first, at most 50'),
})
export type FallbackStatus = z.infer<typeof fallbackStatusSchema>

/** `GET /runtime/endpoints`: the endpoints of the direct LLM as this process sees them; others may see them differently. */
export const endpointsSchema = z.strictObject({
  replica: z.string().describe('This process'),
  llm: z
    .array(
      z.strictObject({
        name: z.string(),
        requests: z.number().int().min(0).describe('Under way now, of users and shadows'),
        resting: z
          .boolean()
          .describe('Not asked for now: it failed several times in a row, or it asked for a pause'),
      }),
    )
    .describe('In the order in which a turn asks them'),
  waiting: z.number().int().min(0).describe('Turns that wait for a place at an endpoint'),
})
export type EndpointsView = z.infer<typeof endpointsSchema>

export const triggerRequestSchema = z.strictObject({
  reason: z.string().trim().max(500).optional(),
  ttlSeconds: z
    .number()
    .int()
    .min(1)
    .max(30 * 86_400)
    .optional(),
  orgIds: z.array(z.string().trim().min(1).max(200)).min(1).max(1000).optional(),
})
export type TriggerRequest = z.infer<typeof triggerRequestSchema>

/**
 * What happened: the loop tripped, relapsed or widened a scoped fallback, went through recovery, or obeyed the policy; a person triggered, reset or
 * edited the flag file, also so that the edit was refused; the time of a manual fallback was over; the state was taken from the flag store.
 */
export const TRANSITION_KINDS = [
  'trip',
  'relapse',
  'widened',
  'recovery_begun',
  'ramp_step',
  'recovered',
  'reset',
  'triggered',
  'manual_expired',
  'policy_off',
  'hand_edit',
  'hand_edit_refused',
  'adopted',
] as const
export const transitionKindSchema = z.enum(TRANSITION_KINDS)
export type TransitionKind = z.infer<typeof transitionKindSchema>

/** Towards the direct LLM, by the loop itself. */
export function isTripKind(kind: TransitionKind): boolean {
  return kind === 'trip' || kind === 'relapse' || kind === 'widened'
}

/** One entry of `GET /runtime/fallback/history`, newest first. */
export const transitionSchema = z.strictObject({
  id: z.number().int(),
  at: instant,
  kind: transitionKindSchema,
  from: fallbackStateSchema,
  to: fallbackStateSchema,
  ...scopeFields,
  manualFrom: manualScopeSchema,
  manualTo: manualScopeSchema,
  actor: actorSchema,
  replica: z.string().describe('The replica that did it'),
  userId: z.string().nullable().describe('The person, where one asked by the API'),
  reason: z.string().describe("A sentence in the caller's language"),
  cause: fallbackCauseSchema.nullable(),
  value: z.number().nullable(),
  threshold: z.number().nullable(),
  trips: count,
  holdUntil: instant.nullable().describe('No recovery before this instant; null outside a fallback'),
  recoveringPercent: z.number().nullable(),
  revision: count,
  evidence: z.unknown(),
  guardrails: z.unknown(),
})
export type TransitionView = z.infer<typeof transitionSchema>

export const historyQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  before: z.coerce.number().int().min(1).optional().describe('Entries before this id: the next page'),
})

/**
 * Events of `GET /runtime/events`, each with an id (1, 2, 3 … within the stream); `heartbeat` as in a chat: null, no id.
 * The first is `metrics`. A reader that lags gets the newest `metrics` alone, and every other event.
 */
export const RUNTIME_EVENTS = ['transition', 'rollout', 'flags', 'metrics', 'heartbeat'] as const
export type RuntimeEventName = (typeof RUNTIME_EVENTS)[number]
/** Data of `transition`: an entry of the history but its id, which it gets only when it is kept. */
export const transitionEventSchema = transitionSchema.omit({ id: true })
export type TransitionEvent = z.infer<typeof transitionEventSchema>
/**
 * Data of `flags`: keys that changed; empty if the source does not tell which. With `edit`: an edit through this replica
 * was written, by whom and what; the same keys come once more, without it, when they are in effect.
 */
export const flagsEventSchema = z.strictObject({
  at: instant,
  flags: z.array(z.string()),
  edit: flagEditEventSchema.optional(),
})
export type FlagsEvent = z.infer<typeof flagsEventSchema>
/** Data of `metrics`, one a tick while something changed, at least every ten seconds. */
export const metricsEventSchema = z.strictObject({
  at: instant,
  direct: windowMetricsSchema,
  runtime: windowMetricsSchema,
  status: fallbackStatusSchema,
})
export type MetricsEvent = z.infer<typeof metricsEventSchema>
