import { z } from 'zod'
import {
  endpointsSchema,
  fallbackStatusSchema,
  historyQuerySchema,
  metricsSchema,
  orgMetricsSchema,
  transitionSchema,
  triggerRequestSchema,
} from '../../protocol/fallback.js'
import { operatorStreamEventSchema } from './event-schemas.js'
import {
  API,
  AT,
  EXAMPLE_EDIT,
  EXAMPLE_ORG,
  EXAMPLE_REPLICA,
  EXAMPLE_ROLLOUT_CHANGE,
  EXAMPLE_STATUS,
  EXAMPLE_TRANSITION,
  EXAMPLE_WINDOW,
} from './example-values.js'
import type { Answer, Operation } from './operation.js'

/** Parameters of every history. */
export const PAGE = {
  limit: { description: 'Entries of one page.', example: 50 },
  before: { description: 'Id of the last entry of the page before: entries older than it.', example: 120 },
}

const status = (description: string): Answer => ({
  status: 200,
  kind: 'data',
  description,
  data: fallbackStatusSchema,
  example: EXAMPLE_STATUS,
})

export const FALLBACK_OPERATIONS: readonly Operation[] = [
  {
    id: 'getMetrics',
    method: 'get',
    path: `${API}/runtime/metrics`,
    tag: 'fallback',
    role: 'operator',
    summary: 'Both backends over the last 5 minutes',
    description:
      'Times in ms, rates from 0 to 1. A timeout is also an error; an aborted execution counts in no rate.',
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'Both windows, and whether there is a fallback.',
        data: metricsSchema,
        example: {
          direct: EXAMPLE_WINDOW,
          runtime: EXAMPLE_WINDOW,
          fallbackEnabled: false,
          fallbackReason: '',
        },
      },
    ],
  },
  {
    id: 'getOrgMetrics',
    method: 'get',
    path: `${API}/runtime/metrics/:orgId`,
    tag: 'fallback',
    role: 'admin',
    summary: 'Both backends for one organisation',
    description: 'For an admin of that organisation, or an owner.',
    parameters: { orgId: { description: 'Id of the organisation.', example: EXAMPLE_ORG } },
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'Both windows; all 0 for an organisation without executions.',
        data: orgMetricsSchema,
        example: { orgId: EXAMPLE_ORG, direct: EXAMPLE_WINDOW, runtime: EXAMPLE_WINDOW },
      },
    ],
    problems: ['other_org'],
  },
  {
    id: 'getFallbackStatus',
    method: 'get',
    path: `${API}/runtime/fallback/status`,
    tag: 'fallback',
    role: 'operator',
    summary: 'State of the fallback',
    headers: ['Accept-Language'],
    answers: [status('The fallback as this replica sees it.')],
  },
  {
    id: 'getEndpoints',
    method: 'get',
    path: `${API}/runtime/endpoints`,
    tag: 'fallback',
    role: 'operator',
    summary: 'Endpoints of the direct LLM',
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'Each endpoint as this replica sees it: requests under way, and whether it rests.',
        data: endpointsSchema,
        example: {
          replica: EXAMPLE_REPLICA,
          llm: [
            { name: 'primary', requests: 0, resting: true },
            { name: 'second', requests: 4, resting: false },
          ],
          waiting: 0,
        },
      },
    ],
  },
  {
    id: 'resetFallback',
    method: 'post',
    path: `${API}/runtime/fallback/reset`,
    tag: 'fallback',
    role: 'operator',
    summary: 'End the fallback',
    description: 'Takes no body. Clears the override, both layers, and the window of the runtime.',
    headers: ['Accept-Language'],
    answers: [status('The fallback afterwards.')],
    problems: ['draining'],
  },
  {
    id: 'triggerFallback',
    method: 'post',
    path: `${API}/runtime/fallback/trigger`,
    tag: 'fallback',
    role: 'admin',
    summary: 'Fall back by hand',
    description:
      'For everybody, or for some organisations. An admin below CHAT_OPERATOR_ROLE may name its own organisation alone.',
    headers: ['Accept-Language'],
    body: {
      schema: triggerRequestSchema,
      required: false,
      examples: {
        some: { reason: 'The runtime is being updated', ttlSeconds: 1800, orgIds: [EXAMPLE_ORG] },
        everybody: {},
      },
    },
    answers: [status('The fallback afterwards.')],
    problems: ['own_org_only', 'too_many_orgs', 'draining'],
  },
  {
    id: 'listTransitions',
    method: 'get',
    path: `${API}/runtime/fallback/history`,
    tag: 'fallback',
    role: 'operator',
    summary: 'Transitions of the fallback, newest first',
    query: historyQuerySchema,
    parameters: PAGE,
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'One page; fewer entries than `limit` where it is the last.',
        data: z.array(transitionSchema),
        example: [{ id: 121, ...EXAMPLE_TRANSITION }],
      },
    ],
    problems: ['journal_unavailable'],
  },
  {
    id: 'streamOperatorEvents',
    method: 'get',
    path: `${API}/runtime/events`,
    tag: 'fallback',
    role: 'operator',
    summary: 'Transitions, changes of flags and metrics as they happen',
    description:
      'Ends when the token expires or the service drains; ask again with a new token then. At most 100 streams a replica.',
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'events',
        description:
          'Server-sent events. The schema is that of one event, `data:` parsed as JSON. The first is `metrics`; a `heartbeat` comes every 15 s and has no id. A reader that lags gets the newest `metrics` alone, and every other event.',
        event: operatorStreamEventSchema,
        examples: {
          metrics: {
            event: 'metrics',
            id: 1,
            data: { at: AT, direct: EXAMPLE_WINDOW, runtime: EXAMPLE_WINDOW, status: EXAMPLE_STATUS },
          },
          transition: { event: 'transition', id: 2, data: EXAMPLE_TRANSITION },
          rollout: { event: 'rollout', id: 3, data: EXAMPLE_ROLLOUT_CHANGE },
          flags: {
            event: 'flags',
            id: 4,
            data: { at: AT, flags: ['chat-execution-mode'], edit: EXAMPLE_EDIT },
          },
          heartbeat: { event: 'heartbeat', data: null },
        },
      },
    ],
    problems: ['starting', 'draining', 'events_overloaded'],
  },
]
