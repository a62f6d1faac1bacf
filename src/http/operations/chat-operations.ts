import {
  sessionSchema,
  startRequestSchema,
  stopResponseSchema,
  turnRequestSchema,
} from '../../protocol/api.js'
import { turnTraceSchema } from '../../protocol/turn-trace.js'
import type { ProblemName } from '../edge/problems.js'
import { chatStreamEventSchema } from './event-schemas.js'
import { API, AT, EXAMPLE_MESSAGE_ID, EXAMPLE_SESSION_ID } from './example-values.js'
import type { Answer, Operation } from './operation.js'

const SESSION = { sessionId: { description: 'Id of the session, a UUID.', example: EXAMPLE_SESSION_ID } }

/** Why no turn begins; the answer is JSON then, for the stream is not open yet. */
export const BEGIN_REFUSALS = [
  'rate_limited',
  'too_many_streams',
  'quota_exceeded',
  'starting',
  'draining',
  'overloaded',
  'llm_overloaded',
] as const satisfies readonly ProblemName[]

const message = (n: number, type: string, data: unknown) => ({
  event: 'message',
  id: n,
  data: { id: `${EXAMPLE_MESSAGE_ID.slice(0, 8)}-${n}`, type, data, timestamp: AT },
})
const decision = { mode: 'runtime_orchestrator', reason: 'targeting_match', shadow: false }

const EXAMPLE_TRACE = {
  sessionId: EXAMPLE_SESSION_ID,
  messageId: EXAMPLE_MESSAGE_ID,
  requestId: 'b1c0f6de-9a3f-4a55-8a3c-3c1f0a2b7d10',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  startedAt: AT,
  decision,
  flags: {
    mode: { value: 'runtime_orchestrator', reason: 'targeting_match' },
    shadow: false,
    override: false,
    rollout: false,
  },
  attempts: [
    {
      mode: 'runtime_orchestrator',
      at: 3,
      connectedAt: 4,
      headersAt: 18,
      firstContentAt: 240,
      durationMs: 2137,
      result: 'ok',
    },
  ],
  steps: [{ stepId: 's1', status: 'completed', tool: 'web_search', at: 230, durationMs: 430 }],
  calls: [
    {
      callId: `${EXAMPLE_MESSAGE_ID.slice(0, 8)}-5`,
      kind: 'tool',
      name: 'web_search',
      stepId: 's1',
      status: 'success',
      at: 240,
      durationMs: 420,
    },
  ],
  dropped: 0,
  end: { event: 'done', status: 'answered', at: 2140, executionMode: 'runtime_orchestrator', tokens: 153 },
}

export const STREAM: Answer = {
  status: 200,
  kind: 'events',
  description: `The turn as server-sent events. The schema is that of one event: \`event:\` and \`id:\` as they stand on their lines, \`data:\` parsed as JSON.
Exactly one of \`done\` and \`error\` ends every stream that still has a reader; a stream that ends with neither broke. A \`heartbeat\` comes every 15 s and has no id. On the wire:

    event: message
    id: 1
    data: {"id":"0b9d1c2e-1","type":"text","data":{"content":"Hello"},"timestamp":"${AT}"}

Ignore what you do not know: later versions add types of messages, codes and fields. A reader that takes nothing for 30 s is cut off; when the last reader leaves and none comes back within CHAT_RECONNECT_GRACE_MS (10 s), the turn is cancelled within a second, or finished for the history with CHAT_ON_DISCONNECT=finish.`,
  headers: [
    'X-Chat-Stream-Id',
    'X-Chat-Session-Id',
    'X-Chat-Stream-Token',
    'RateLimit-Policy',
    'RateLimit-Limit',
    'RateLimit-Remaining',
    'RateLimit-Reset',
  ],
  event: chatStreamEventSchema,
  examples: {
    text: message(1, 'text', { content: 'Hello' }),
    thinking: message(2, 'thinking', { content: 'Reading the question', stage: 'planning' }),
    plan: message(3, 'plan', { steps: [{ id: 's1', title: 'Search', status: 'pending' }], currentStep: 0 }),
    plan_step: message(4, 'plan_step', {
      stepId: 's1',
      title: 'Search',
      status: 'running',
      tool: 'web_search',
    }),
    tool_call: message(5, 'tool_call', {
      toolName: 'web_search',
      arguments: { q: 'weather' },
      status: 'calling',
    }),
    tool_result: message(6, 'tool_result', {
      toolName: 'web_search',
      result: { hits: 3 },
      success: true,
      duration: 420,
    }),
    file: message(7, 'file', {
      url: 'https://files.example.com/a.csv',
      filename: 'a.csv',
      mimeType: 'text/csv',
      size: 120,
    }),
    done: {
      event: 'done',
      id: 8,
      data: {
        sessionId: EXAMPLE_SESSION_ID,
        messageId: EXAMPLE_MESSAGE_ID,
        usage: { tokens: 153, latencyMs: 2140 },
        executionMode: 'direct_llm',
        decision,
        failover: { from: 'runtime_orchestrator', cause: 'connect_timeout', phase: 'connect', afterMs: 3004 },
        finishReason: 'stop',
        attempts: 2,
      },
    },
    error: {
      event: 'error',
      id: 8,
      data: {
        code: 'llm_unreachable',
        message: 'The AI service cannot be reached right now. Try again in a moment',
        recoverable: true,
        executionMode: 'direct_llm',
        details: { phase: 'connect', runtime: { code: 'runtime_unreachable', phase: 'connect' } },
      },
    },
    heartbeat: { event: 'heartbeat', data: null },
  },
}

export const CHAT_OPERATIONS: readonly Operation[] = [
  {
    id: 'startChat',
    method: 'post',
    path: `${API}/chat/start`,
    tag: 'chat',
    role: 'member',
    summary: 'Begin a session with its first turn',
    description:
      'Unknown fields of the body are ignored. Between checks of the token and of the body a place among the running turns is taken, so that a refusal under load comes before the body is read.',
    headers: ['Accept-Language', 'traceparent'],
    body: {
      schema: startRequestSchema,
      required: true,
      examples: { question: { agentId: 'assistant', message: 'What is the weather in Berlin?' } },
    },
    answers: [STREAM],
    problems: [...BEGIN_REFUSALS, 'turn_running', 'idempotency_mismatch', 'store_unavailable'],
  },
  {
    id: 'continueChat',
    method: 'post',
    path: `${API}/chat/sessions/:sessionId`,
    tag: 'chat',
    role: 'member',
    summary: 'Next turn of a session',
    description:
      'For the user who began the session, within the same org. A session takes one turn at a time.',
    parameters: SESSION,
    headers: ['Accept-Language', 'traceparent'],
    body: { schema: turnRequestSchema, required: true, examples: { question: { message: 'And tomorrow?' } } },
    answers: [STREAM],
    problems: [
      ...BEGIN_REFUSALS,
      'session_unknown',
      'turn_running',
      'idempotency_mismatch',
      'store_unavailable',
    ],
  },
  {
    id: 'getSession',
    method: 'get',
    path: `${API}/chat/sessions/:sessionId`,
    tag: 'chat',
    role: 'member',
    summary: 'History of a session',
    description:
      'Two messages a turn, oldest first. The answer of a turn that still runs has the status `running` and no content yet.',
    parameters: SESSION,
    headers: ['Accept-Language', 'Idempotency-Key'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'The session with all its messages.',
        data: sessionSchema,
        example: {
          sessionId: EXAMPLE_SESSION_ID,
          agentId: 'assistant',
          createdAt: AT,
          updatedAt: AT,
          messages: [
            {
              id: `${EXAMPLE_MESSAGE_ID}-user`,
              role: 'user',
              content: 'What is the weather in Berlin?',
              createdAt: AT,
            },
            {
              id: EXAMPLE_MESSAGE_ID,
              role: 'assistant',
              content: 'Sunny, 21 °C.',
              status: 'answered',
              executionMode: 'runtime_orchestrator',
              finishReason: 'stop',
              createdAt: AT,
            },
          ],
        },
      },
    ],
    problems: ['session_unknown', 'store_unavailable'],
  },
  {
    id: 'getTurnTrace',
    method: 'get',
    path: `${API}/chat/sessions/:sessionId/turns/:messageId/trace`,
    tag: 'chat',
    role: 'member',
    summary: 'What happened in a turn, without its content',
    description:
      'For the user of the session and for the admins of its org. Decision, executions with their phases, plan steps, calls and the end; no message, title, argument, result or error text. It is kept with the turn, from its end on. Every `at` is in ms from `startedAt`.',
    parameters: {
      ...SESSION,
      messageId: {
        description: 'Id of the answer: `messageId` of `done`, `X-Chat-Stream-Id` of the stream.',
        example: EXAMPLE_MESSAGE_ID,
      },
    },
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'The trace of the turn.',
        data: turnTraceSchema,
        example: EXAMPLE_TRACE,
      },
    ],
    problems: ['session_unknown', 'trace_unknown', 'store_unavailable'],
  },
  {
    id: 'stopChat',
    method: 'post',
    path: `${API}/chat/sessions/:sessionId/stop`,
    tag: 'chat',
    role: 'member',
    summary: 'Stop the turn that runs in a session',
    description:
      'Takes no body. The stream of the turn ends with `done` and `stopped: true`; what was written so far stays in the history. A turn of another replica stops within a second.',
    parameters: SESSION,
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'Whether a turn was running.',
        data: stopResponseSchema,
        example: { stopped: true },
      },
    ],
    problems: ['session_unknown', 'store_unavailable'],
  },
]
