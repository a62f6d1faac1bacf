import { z } from 'zod'

/** Habits of real LLM servers, as `PUT /_faults` takes them. */

const short = z.string().max(200)

export const ERROR_FORMS = [
  'field',
  'text',
  'event',
  'line',
  'bare',
  'object',
  'detail',
  'message',
  'choice',
  'groq',
  'finish',
] as const

export const CONTENT_FORMS = [
  'parts',
  'message',
  'refusal',
  'reasoning',
  'reasoning_content',
  'thinking',
  'think_tags',
  'split_pairs',
  'second_choice',
] as const

export const ENCODINGS = ['gzip', 'deflate', 'deflate-raw', 'br', 'unknown'] as const

export const REFUSE_FORMS = ['param', 'message', 'detail'] as const

export const CONTEXT_FORMS = [
  'openai',
  'vllm',
  'sglang',
  'llama.cpp',
  'ollama',
  'anthropic',
  'gemini',
  'mistral',
  'text',
  'stream',
] as const

const httpStatus = z.number().int().min(300).max(599)

export const llmFaults = {
  finishReason: short.describe('LLM: the finish_reason at the end; "" sends an empty one'),
  finishEveryChunk: short.describe('LLM: this finish_reason with every chunk, "" too'),
  errorForm: z.enum(ERROR_FORMS).describe(`LLM: how errorEvent is told: ${ERROR_FORMS.join(', ')}`),
  contentForm: z
    .enum(CONTENT_FORMS)
    .describe(`LLM: how content is sent (the three of reasoning before it): ${CONTENT_FORMS.join(', ')}`),
  keepAliveData: short.describe('LLM: data sent before every text, such as ": keepalive"'),
  doneText: short.describe('LLM: in place of [DONE], such as " [DONE] "'),
  leadingText: short.describe('LLM: a text before all others, such as "\\n\\n"'),
  contentType: short.describe('LLM: content type of the answer; "" sends none'),
  unstreamed: z.boolean().describe('LLM: the whole completion as JSON though a stream was asked for'),
  errorWith200: short.describe('LLM: an error body of this code with status 200'),
  html: z.boolean().describe('LLM: a page of HTML with status 200'),
  encoding: z.enum(ENCODINGS).describe(`LLM: content encoding of the stream: ${ENCODINGS.join(', ')}`),
  failNext: z
    .strictObject({ requests: z.number().int().min(1).max(1_000_000), status: httpStatus.optional() })
    .describe(
      'LLM: {requests, status}: the next n requests get this status (503), those after it are answered',
    ),
  retryAfter: short.describe('LLM: the Retry-After of every refusal by status, failNext or maxAnswers'),
  resetHead: z.boolean().describe('LLM: read the request, then reset the connection before a head'),
  maxAnswers: z
    .strictObject({ answers: z.number().int().min(0).max(100_000), status: httpStatus.optional() })
    .describe('LLM: {answers, status}: above n answers at a time this status (429)'),
  redirect: z
    .strictObject({ status: z.number().int().min(300).max(399), location: z.string().max(2000) })
    .describe('LLM: {status, location}: a redirect, but at the location itself'),
  refuseParameters: z
    .array(short)
    .max(20)
    .describe('LLM: fields of the request that are refused by name, with 400'),
  refuseForm: z
    .enum(REFUSE_FORMS)
    .describe(`LLM: how a field is refused: ${REFUSE_FORMS.join(', ')} (422, as FastAPI does)`),
  contextCharacters: z
    .number()
    .int()
    .min(0)
    .max(20_000_000)
    .describe('LLM: characters of all messages above which the prompt is too long'),
  contextForm: z
    .enum(CONTEXT_FORMS)
    .describe(`LLM: whose words say so: ${CONTEXT_FORMS.join(', ')} (an error after 200)`),
  requireApiKey: short.describe('LLM: 401 unless this key comes in the header api-key'),
  requireQuery: short.describe('LLM: 404 unless the query has this name, such as "api-version"'),
}
