import { baselineQuerySchema, baselineSchema } from '../../protocol/baseline.js'
import { metricsHistoryQuerySchema, metricsHistorySchema } from '../../protocol/kept-metrics.js'
import { replayRequestSchema, replaySchema } from '../../protocol/replay.js'
import { shadowPairsQuerySchema, shadowPairsSchema } from '../../protocol/shadow-pairs.js'
import { shadowReportQuerySchema, shadowReportSchema } from '../../protocol/shadow-report.js'
import { API, AT, EARLIER, EXAMPLE_ORG, EXAMPLE_WINDOW } from './example-values.js'
import type { Operation } from './operation.js'

const SPAN = {
  from: {
    description: 'Beginning of the span, an instant or a day as ISO 8601; belongs to it.',
    example: EARLIER,
  },
  to: {
    description:
      'End of the span, an instant or a day as ISO 8601; does not belong to it. Now where it is absent.',
    example: AT,
  },
  orgId: { description: 'Of one organisation alone.', example: EXAMPLE_ORG },
}
const NOBODY = { ok: 0, error: 0, timeout: 0, codes: {} }

export const REPORT_OPERATIONS: readonly Operation[] = [
  {
    id: 'replayFallback',
    method: 'post',
    path: `${API}/runtime/replay`,
    tag: 'reports',
    role: 'operator',
    summary: 'What the fallback would have done with other guardrails',
    description:
      'Plays the evidence of the journal through the fallback: which transitions it would have made, beside those that happened. At most 7 days; of the last 24 hours where `from` is absent. Ends after 20 s, 500,000 executions or 500 transitions, and then says so in `partial`. Changes nothing.',
    headers: ['Accept-Language'],
    body: {
      schema: replayRequestSchema,
      required: true,
      examples: { stricter: { from: EARLIER, to: AT, guardrails: { errorRate: 0.2 } } },
    },
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'Both sides, oldest first.',
        data: replaySchema,
        example: {
          from: EARLIER,
          to: AT,
          until: AT,
          partial: null,
          changed: [{ name: 'errorRate', inForce: 0.5, replayed: 0.2 }],
          ignored: [],
          replayed: { stateAtStart: 'normal', trips: 0, fallbackMs: 0, recoveringMs: 0, transitions: [] },
          happened: { stateAtStart: 'normal', trips: 0, fallbackMs: 0, recoveringMs: 0, transitions: [] },
          evidence: { executions: 1200, shadows: 0, probeVerdicts: 1, commands: 0, since: EARLIER },
          limits: [
            'Executions and probes count as they ended: other deadlines and probe settings change none of them',
          ],
        },
      },
    ],
    problems: ['reports_overloaded', 'journal_unavailable'],
  },
  {
    id: 'getMetricsHistory',
    method: 'get',
    path: `${API}/runtime/metrics-history`,
    tag: 'reports',
    role: 'admin',
    summary: 'Both backends over the last minutes',
    description:
      'The windows of `GET /runtime/metrics` as they were each minute, counted from the executions in the journal. An admin below CHAT_OPERATOR_ROLE may ask for its own organisation alone.',
    query: metricsHistoryQuerySchema,
    parameters: {
      minutes: { description: 'How far back.', example: 60 },
      windowSeconds: {
        description: 'Length of each window in seconds; rounded up to whole minutes.',
        example: 300,
      },
      orgId: { description: 'Of one organisation alone.', example: EXAMPLE_ORG },
    },
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'One point a minute, oldest first.',
        data: metricsHistorySchema,
        example: {
          orgId: null,
          windowSeconds: 300,
          points: [{ at: AT, direct: EXAMPLE_WINDOW, runtime: EXAMPLE_WINDOW }],
        },
      },
    ],
    problems: ['other_org', 'reports_overloaded', 'journal_unavailable'],
  },
  {
    id: 'getBaseline',
    method: 'get',
    path: `${API}/runtime/baseline`,
    tag: 'reports',
    role: 'operator',
    summary: "Both execution modes beside the operators' targets",
    description: 'Of the last 24 hours where `from` is absent.',
    query: baselineQuerySchema,
    parameters: SPAN,
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'One row a metric. A value is null where there was no execution.',
        data: baselineSchema,
        example: {
          from: EARLIER,
          to: AT,
          orgId: null,
          samples: { direct: 1200, runtime: 0 },
          rows: [
            {
              metric: 'avgLatencyMs',
              name: 'Mean latency',
              target: 3000,
              targetText: '< 3 s',
              direct: { value: 2140.5, met: true },
              runtime: { value: null, met: null },
            },
          ],
          sentences: {
            direct: 'Direct LLM: all targets met (1200 executions)',
            runtime: 'Runtime: no executions in this span',
          },
        },
      },
    ],
    problems: ['reports_overloaded', 'journal_unavailable'],
  },
  {
    id: 'getShadowReport',
    method: 'get',
    path: `${API}/runtime/shadow/report`,
    tag: 'reports',
    role: 'operator',
    summary: 'What would change if users were switched to the other backend',
    description:
      'Of the last 7 days where `from` is absent, and of the control that was compared more often where `control` is.',
    query: shadowReportQuerySchema,
    parameters: {
      ...SPAN,
      agentId: { description: 'Of one agent alone.', example: 'assistant' },
      control: { description: 'The execution mode that users got.', example: 'direct_llm' },
    },
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'Verdicts with their intervals; texts in both languages.',
        data: shadowReportSchema,
        example: {
          from: EARLIER,
          to: AT,
          orgId: null,
          agentId: null,
          control: 'direct_llm',
          candidate: 'runtime_orchestrator',
          verdict: 'insufficient_data',
          sentence: { 'zh-CN': '数据不足', en: 'Not enough data' },
          trust: { trusted: true, checks: [] },
          pairs: { ab: 0, aa: 0 },
          left: { ab: 0, aa: 0 },
          dimensions: [],
          distributions: [{ dimension: 'latency', bins: [], controlBeyond: 0 }],
          outcomes: { control: NOBODY, candidate: NOBODY },
          fenceViolations: 0,
          shadows: { failed: 0, dropped: {} },
          confidence: { interval: 0.99, report: 0.95 },
        },
      },
    ],
    problems: ['reports_overloaded', 'journal_unavailable'],
  },
  {
    id: 'listShadowPairs',
    method: 'get',
    path: `${API}/runtime/shadow/pairs`,
    tag: 'reports',
    role: 'operator',
    summary: 'Single pairs of the shadow report, those that differ most first',
    description:
      'Pairs of both backends of the last 7 days where `from` is absent, by the ids of the turns. A pair differs by 1 if one side succeeded and the other did not, else by the mean of its parts. Reads at most as many pairs as the journal keeps. Runs of the control with itself, and pairs whose user left, are not listed.',
    query: shadowPairsQuerySchema,
    parameters: {
      ...SPAN,
      agentId: { description: 'Of one agent alone.', example: 'assistant' },
      control: {
        description: 'The execution mode that users got; both where it is absent.',
        example: 'direct_llm',
      },
      sort: {
        description: '`difference`: those that differ most first; `newest`: the newest first.',
        example: 'difference',
      },
      limit: { description: 'So many pairs.', example: 20 },
    },
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'The first pairs in the order asked for.',
        data: shadowPairsSchema,
        example: {
          from: EARLIER,
          to: AT,
          orgId: null,
          agentId: null,
          control: 'direct_llm',
          sort: 'difference',
          compared: 1200,
          pairs: [
            {
              at: EARLIER,
              orgId: EXAMPLE_ORG,
              agentId: 'assistant',
              sessionId: '0190c0de-0000-7000-8000-000000000000',
              messageId: '0190c0de-0000-7000-8000-000000000001',
              difference: 0.5,
              parts: {
                result: 0,
                text: 0.75,
                plan: null,
                calls: null,
                callOrder: null,
                latency: 0.5,
                firstContent: 0.5,
                length: 0.6,
                tokens: 0.65,
              },
              control: {
                mode: 'direct_llm',
                result: 'ok',
                code: null,
                latencyMs: 1200,
                firstContentMs: 300,
                tokens: 70,
                characters: 240,
              },
              candidate: {
                mode: 'runtime_orchestrator',
                result: 'ok',
                code: null,
                latencyMs: 2400,
                firstContentMs: 600,
                tokens: 200,
                characters: 600,
              },
            },
          ],
        },
      },
    ],
    problems: ['reports_overloaded', 'journal_unavailable'],
  },
]
