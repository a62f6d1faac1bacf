import {
  type ChatCompletion,
  type ChatCompletionChunk,
  chatCompletionChunkSchema,
  chatCompletionSchema,
  type OpenAiError,
  openAiErrorSchema,
} from '../../src/protocol/openai.js'

/** A plain request to the OpenAI-compatible front; `fields` replace the usual ones. */
export async function postCompletion(
  url: string,
  authorization: string,
  fields: object = {},
  { headers = {}, query = '', signal = AbortSignal.timeout(30_000) }: PostOptions = {},
): Promise<Response> {
  const usual = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello' }] }
  return fetch(`${url}/v1/chat/completions${query}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', 'accept-language': 'en', ...headers },
    body: JSON.stringify({ ...usual, ...fields }),
    signal,
  })
}

export interface PostOptions {
  readonly headers?: Record<string, string>
  readonly query?: string
  readonly signal?: AbortSignal
}

export async function completionOf(response: Response): Promise<ChatCompletion> {
  return chatCompletionSchema.parse(await response.json())
}

export async function openAiErrorOf(response: Response): Promise<OpenAiError['error']> {
  return openAiErrorSchema.parse(await response.json()).error
}

/** A stream as a client saw it, each event checked against the public schema. */
export interface ChunksSeen {
  readonly chunks: readonly ChatCompletionChunk[]
  readonly content: string
  readonly reasoning: string
  readonly finishReasons: readonly string[]
  readonly error: OpenAiError['error'] | undefined
  /** whether `[DONE]` came, as the very last */
  readonly done: boolean
  readonly comments: number
}

export async function chunksOf(response: Response): Promise<ChunksSeen> {
  return readChunks(await response.text())
}

export function readChunks(body: string): ChunksSeen {
  const lines = body.split('\n').filter((line) => line !== '')
  const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6))
  const comments = lines.filter((line) => line.startsWith(':')).length
  if (data.length + comments !== lines.length) throw new Error('a line that is neither data nor a comment')
  const done = data.at(-1) === '[DONE]'
  const events: unknown[] = (done ? data.slice(0, -1) : data).map((text) => JSON.parse(text))
  const error = events.length === 0 ? undefined : openAiErrorSchema.safeParse(events.at(-1)).data?.error
  const chunks = (error === undefined ? events : events.slice(0, -1)).map((event) =>
    chatCompletionChunkSchema.parse(event),
  )
  const choices = chunks.flatMap((chunk) => chunk.choices)
  return {
    chunks,
    content: choices.map(({ delta }) => delta.content ?? '').join(''),
    reasoning: choices.map(({ delta }) => delta.reasoning_content ?? '').join(''),
    finishReasons: choices.flatMap(({ finish_reason: reason }) => reason ?? []),
    error,
    done,
    comments,
  }
}
