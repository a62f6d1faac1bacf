import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import zlib from 'node:zlib'
import type { Faults } from './faults.js'
import type { ENCODINGS } from './llm-faults.js'

/** The deltas that one piece of text is sent as, in the dialect of the faults. */
export function deltasOf(content: string, { contentForm }: Faults, first: boolean): readonly object[] {
  switch (contentForm) {
    case 'parts':
      return [{ content: [{ type: 'text', text: content }, { type: 'image_url' }] }]
    case 'refusal':
      return [{ refusal: content }]
    case 'reasoning':
    case 'reasoning_content':
    case 'thinking':
      return first ? [{ [contentForm]: 'hm' }, { content }] : [{ content }]
    case 'think_tags':
      return first
        ? [{ content: '<thi' }, { content: 'nk>hm</' }, { content: `think>${content}` }]
        : [{ content }]
    case 'split_pairs':
      return halvesOf(content).map((half) => ({ content: half }))
    default:
      return [{ content }]
  }
}

/** The text, cut in the middle of each surrogate pair. */
function halvesOf(text: string): string[] {
  return text.split(/(?<=[\ud800-\udbff])(?=[\udc00-\udfff])/)
}

/** The choices of a chunk with this delta. */
export function choicesOf(delta: object, finish: string | null, { contentForm }: Faults): readonly object[] {
  const said = contentForm === 'message' ? { message: delta } : { delta }
  const choice = { index: 0, ...said, finish_reason: finish }
  if (contentForm !== 'second_choice') return [choice]
  return [{ index: 1, delta: { content: 'another' }, finish_reason: 'length' }, choice]
}

/** An error as one whole frame; undefined if it is the usual one. */
export function errorWire(form: Faults['errorForm'], code: string, message: string): string | undefined {
  const error = { message, type: 'server_error', code }
  switch (form) {
    case 'text':
      return frame({ error: message })
    case 'event':
      return `event: error\n${frame(error)}`
    case 'line':
      return `error: ${JSON.stringify(error)}\n\n`
    case 'bare':
      return `${JSON.stringify({ error })}\n\n`
    case 'object':
      return frame({ object: 'error', ...error })
    case 'detail':
      return frame({ detail: message })
    case 'message':
      return frame({ message, code })
    case 'choice':
      return frame({ choices: [{ index: 0, delta: {}, error, finish_reason: 'error' }] })
    case 'groq':
      return frame({ choices: [], x_groq: { error } })
    case 'finish':
      return frame({ choices: [{ index: 0, delta: {}, finish_reason: 'error' }] })
    default:
      return undefined
  }
}

const frame = (value: object): string => `data: ${JSON.stringify(value)}\n\n`

/** Where the stream is written, so that it reaches the response encoded as the faults say. */
export function encoded(response: ServerResponse, encoding: Faults['encoding']): Writable {
  const encoder = encoding === undefined ? undefined : encoderOf(encoding)
  if (encoder === undefined) return response
  encoder.pipe(response)
  encoder.once('close', () => {
    if (!encoder.readableEnded) response.destroy()
  })
  response.once('close', () => encoder.destroy())
  return encoder
}

export function encodingName(encoding: (typeof ENCODINGS)[number]): string {
  return encoding === 'deflate-raw' ? 'deflate' : encoding
}

// Every write is flushed: a stream that waits for a full block would be another fault.
function encoderOf(encoding: (typeof ENCODINGS)[number]) {
  const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH } = zlib.constants
  switch (encoding) {
    case 'gzip':
      return zlib.createGzip({ flush: Z_SYNC_FLUSH })
    case 'deflate':
      return zlib.createDeflate({ flush: Z_SYNC_FLUSH })
    case 'deflate-raw':
      return zlib.createDeflateRaw({ flush: Z_SYNC_FLUSH })
    case 'br':
      return zlib.createBrotliCompress({ flush: BROTLI_OPERATION_FLUSH })
    case 'unknown':
      return undefined
  }
}
