import { z } from 'zod'
import { EXECUTION_ERROR_CODES } from '../../protocol/execution-codes.js'
import {
  chatCompletionChunkSchema,
  chatCompletionRequestSchema,
  chatCompletionSchema,
  modelListSchema,
  modelSchema,
  OPENAI_PREFIX,
  openAiErrorSchema,
  openAiQuerySchema,
} from '../../protocol/openai.js'
import { BEGIN_REFUSALS } from './chat-operations.js'
import { EXAMPLE_MESSAGE_ID } from './example-values.js'
import type { Operation } from './operation.js'

const MODEL = { id: 'gpt-4o', object: 'model', created: 0, owned_by: 'chat-cutover' }
const HEAD = { id: `chatcmpl-${EXAMPLE_MESSAGE_ID}`, created: 1769846400, model: 'gpt-4o' }
const MESSAGES = [{ role: 'user', content: 'What is the weather in Berlin?' }]
const USAGE = { prompt_tokens: 12, completion_tokens: 6, total_tokens: 18 }

const chunk = (delta: object, reason: string | null) => ({
  ...HEAD,
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
})

/** Calls of OpenAI's API; see docs/integrate.md. */
export const OPENAI_OPERATIONS: readonly Operation[] = [
  {
    id: 'createChatCompletion',
    method: 'post',
    path: `${OPENAI_PREFIX}/chat/completions`,
    tag: 'openai',
    role: 'member',
    errors: 'openai',
    summary: 'One turn, with the history that the request brings',
    description:
      'The same decision, failover, fallback and shadow as a turn of the chat; nothing of it is kept as a session. Fields that are not described are ignored.',
    query: openAiQuerySchema,
    parameters: {
      events: {
        description:
          'What becomes of thinking, plans and calls: `reasoning_content` for all of them, for thinking alone, or nothing.',
        example: 'thinking',
      },
    },
    headers: ['Accept-Language', 'X-Chat-Session-Id', 'traceparent'],
    body: {
      schema: chatCompletionRequestSchema,
      required: true,
      examples: {
        whole: { model: 'gpt-4o', messages: MESSAGES },
        stream: {
          model: 'gpt-4o',
          messages: MESSAGES,
          stream: true,
          stream_options: { include_usage: true },
        },
      },
    },
    answers: [
      {
        status: 200,
        kind: 'json',
        description: 'The whole answer, where no stream is asked for.',
        headers: [
          'X-Chat-Stream-Id',
          'X-Chat-Session-Id',
          'RateLimit-Policy',
          'RateLimit-Limit',
          'RateLimit-Remaining',
          'RateLimit-Reset',
        ],
        schema: chatCompletionSchema,
        example: {
          ...HEAD,
          object: 'chat.completion',
          choices: [
            {
              index: 0,
              message: { role: 'assistant', content: 'Sunny, 21 °C.', refusal: null },
              logprobs: null,
              finish_reason: 'stop',
            },
          ],
          usage: USAGE,
        },
      },
      {
        status: 200,
        to: 'stream',
        kind: 'chunks',
        description:
          'With `stream: true` server-sent events of data alone. The schema is that of one event: a chunk, or `[DONE]` at the end. A turn that fails after its first chunk ends with an error in place of a finish reason and `[DONE]`. A comment comes every 15 s.',
        headers: [
          'X-Chat-Stream-Id',
          'X-Chat-Session-Id',
          'RateLimit-Policy',
          'RateLimit-Limit',
          'RateLimit-Remaining',
          'RateLimit-Reset',
        ],
        chunk: z.union([chatCompletionChunkSchema, openAiErrorSchema, z.literal('[DONE]')]),
        examples: {
          first: chunk({ role: 'assistant', content: '' }, null),
          text: chunk({ content: 'Sunny' }, null),
          last: chunk({}, 'stop'),
          usage: { ...chunk({}, null), choices: [], usage: USAGE },
          end: '[DONE]',
          error: {
            error: {
              message: 'The AI service cannot be reached right now. Try again in a moment',
              type: 'server_error',
              code: 'llm_unreachable',
              param: null,
            },
          },
        },
      },
    ],
    problems: [...BEGIN_REFUSALS, 'body_unsupported', 'model_unknown'],
    failures: EXECUTION_ERROR_CODES,
  },
  {
    id: 'listModels',
    method: 'get',
    path: `${OPENAI_PREFIX}/models`,
    tag: 'openai',
    role: 'member',
    errors: 'openai',
    summary: 'Names that a request may give as its model',
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'json',
        description: 'Each name stands for an agent.',
        schema: modelListSchema,
        example: { object: 'list', data: [MODEL] },
      },
    ],
  },
  {
    id: 'getModel',
    method: 'get',
    path: `${OPENAI_PREFIX}/models/*model`,
    tag: 'openai',
    role: 'member',
    errors: 'openai',
    summary: 'One of these names',
    parameters: { model: { description: 'The name; it may have slashes.', example: 'gpt-4o' } },
    headers: ['Accept-Language'],
    answers: [
      { status: 200, kind: 'json', description: 'The name is known.', schema: modelSchema, example: MODEL },
    ],
    problems: ['model_unknown'],
  },
]
