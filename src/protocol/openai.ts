import { z } from 'zod'

/** The OpenAI-compatible front: `POST /v1/chat/completions`, `GET /v1/models`. Fields that are not named here are ignored. */

export const OPENAI_PREFIX = '/v1'

/** What becomes of thinking, plans and calls (`?events=`). */
export const OPENAI_EVENTS = ['all', 'thinking', 'none'] as const
export const openAiQuerySchema = z.object({
  /**
   * `all`: thinking, and a line for each step and call, as `reasoning_content`; `thinking`: thinking alone; `none`: only the answer
   */
  events: z.enum(OPENAI_EVENTS).default('all'),
})
export type OpenAiEvents = (typeof OPENAI_EVENTS)[number]

const contentPartSchema = z.object({
  type: z.string(),
  text: z.string().optional(),
  refusal: z.string().optional(),
})

const messageSchema = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: z.union([z.string(), z.array(contentPartSchema)]).nullish(),
  tool_calls: z.unknown().optional(),
  function_call: z.unknown().optional(),
})
export type OpenAiMessage = z.infer<typeof messageSchema>

const tokens = z.number().int().min(1).max(10_000_000).nullish()
const penalty = z.number().min(-2).max(2).nullish()

/** Body of `POST /v1/chat/completions`. `null` counts as left out. */
export const chatCompletionRequestSchema = z.object({
  model: z.string().min(1).max(200),
  messages: z.array(messageSchema).min(1).max(10_000),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  /** who asks, for the flags' buckets where no `X-Chat-Session-Id` is sent */
  user: z.string().max(1000).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  max_tokens: tokens,
  /** wins over `max_tokens` */
  max_completion_tokens: tokens,
  top_p: z.number().min(0).max(1).nullish(),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  seed: z.number().int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(16)]).nullish(),
  logit_bias: z.record(z.string(), z.number()).nullish(),
  reasoning_effort: z.string().max(50).nullish(),
  verbosity: z.string().max(50).nullish(),
  response_format: z.looseObject({ type: z.string() }).nullish(),
  // Named to be refused where they ask for something.
  n: z.number().int().nullish(),
  tools: z.array(z.unknown()).nullish(),
  functions: z.array(z.unknown()).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().nullish(),
  modalities: z.array(z.string()).nullish(),
  audio: z.unknown().optional(),
  web_search_options: z.unknown().optional(),
})
export type ChatCompletionRequest = z.infer<typeof chatCompletionRequestSchema>

/** `prompt_tokens` and `completion_tokens` are estimates where the backend tells the sum alone, or nothing (`estimated`). */
export const completionUsageSchema = z.strictObject({
  prompt_tokens: z.number().int(),
  completion_tokens: z.number().int(),
  total_tokens: z.number().int(),
  estimated: z.literal(true).optional(),
})
export type CompletionUsage = z.infer<typeof completionUsageSchema>

export const OPENAI_FINISH_REASONS = ['stop', 'length', 'content_filter'] as const
const finishReason = z.enum(OPENAI_FINISH_REASONS)
export type OpenAiFinishReason = z.infer<typeof finishReason>

const head = {
  /** `chatcmpl-` and the message id of the log */
  id: z.string(),
  /** seconds since the epoch */
  created: z.number().int(),
  /** as the request named it, no matter which backend answered */
  model: z.string(),
}

/** The answer where no stream was asked for. */
export const chatCompletionSchema = z.strictObject({
  ...head,
  object: z.literal('chat.completion'),
  choices: z.tuple([
    z.strictObject({
      index: z.literal(0),
      message: z.strictObject({
        role: z.literal('assistant'),
        content: z.string(),
        reasoning_content: z.string().optional(),
        refusal: z.null(),
      }),
      logprobs: z.null(),
      finish_reason: finishReason,
    }),
  ]),
  usage: completionUsageSchema,
})
export type ChatCompletion = z.infer<typeof chatCompletionSchema>

/** One event of a stream. The last but `[DONE]` has the usage and no choice, where `stream_options.include_usage` asks for it. */
export const chatCompletionChunkSchema = z.strictObject({
  ...head,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.strictObject({
      index: z.literal(0),
      delta: z.strictObject({
        role: z.literal('assistant').optional(),
        content: z.string().optional(),
        reasoning_content: z.string().optional(),
      }),
      logprobs: z.null(),
      finish_reason: finishReason.nullable(),
    }),
  ),
  usage: completionUsageSchema.nullable().optional(),
})
export type ChatCompletionChunk = z.infer<typeof chatCompletionChunkSchema>

/** `code` is OpenAI's if it has one for the case, else one of ours: an execution's, or an API error's. */
export const openAiErrorSchema = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.enum([
      'invalid_request_error',
      'authentication_error',
      'permission_error',
      'rate_limit_error',
      'server_error',
    ]),
    code: z.string(),
    /** the place of the request that is at fault, such as `messages[0].content` */
    param: z.string().nullable(),
  }),
})
export type OpenAiError = z.infer<typeof openAiErrorSchema>

export const modelSchema = z.strictObject({
  id: z.string(),
  object: z.literal('model'),
  /** seconds since the epoch; always 0, since nothing is known of it */
  created: z.number().int(),
  owned_by: z.string(),
})
export type OpenAiModel = z.infer<typeof modelSchema>

export const modelListSchema = z.strictObject({ object: z.literal('list'), data: z.array(modelSchema) })
export type OpenAiModelList = z.infer<typeof modelListSchema>
