import { Agent, request } from 'node:http'

/** One stream as the client saw it. */
export interface StreamSeen {
  readonly bytes: number
  /** ms from the request to the first content event */
  readonly firstContentMs: number
  readonly complete: boolean
}

const CONTENT = Buffer.from('event: message')
const UPSTREAM_CONTENT = Buffer.from('text_chunk')
const DONE = Buffer.from('event: done')
const UPSTREAM_DONE = Buffer.from('[DONE]')

/** Connections of one run; given up with it, for a server closes those that idle while the others are measured. */
export const createConnections = (): Agent =>
  new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

/** POSTs and reads to the end, looking at the bytes only: the client must cost less than what it measures. */
export function readStream(
  agent: Agent,
  url: string,
  headers: Record<string, string>,
  body: object,
): Promise<StreamSeen> {
  const payload = Buffer.from(JSON.stringify(body))
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    let bytes = 0
    let firstContentMs = Number.NaN
    let tail: Buffer = Buffer.alloc(0)
    const call = request(
      url,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': payload.length, ...headers },
      },
      (response) => {
        if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`))
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (Number.isNaN(firstContentMs) && (chunk.includes(CONTENT) || chunk.includes(UPSTREAM_CONTENT)))
            firstContentMs = performance.now() - startedAt
          tail = chunk.length >= 512 ? chunk.subarray(-512) : Buffer.concat([tail, chunk]).subarray(-512)
        })
        response.on('error', reject)
        response.on('end', () =>
          resolve({ bytes, firstContentMs, complete: tail.includes(DONE) || tail.includes(UPSTREAM_DONE) }),
        )
      },
    )
    call.on('error', reject)
    call.end(payload)
  })
}

/** A stream that is left open. */
export interface OpenedStream {
  /** it ended, or broke, before anybody closed it */
  readonly closed: boolean
  close(): void
}

/** Opens a stream and leaves it open; resolves with the first content. */
export function openStream(
  url: string,
  headers: Record<string, string>,
  body: object,
): Promise<OpenedStream> {
  const payload = Buffer.from(JSON.stringify(body))
  return new Promise((resolve, reject) => {
    let closed = false
    const opened: OpenedStream = {
      get closed() {
        return closed
      },
      close: () => call.destroy(),
    }
    const call = request(
      url,
      {
        method: 'POST',
        agent: false,
        headers: { 'content-type': 'application/json', 'content-length': payload.length, ...headers },
      },
      (response) => {
        if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`))
        response.on('data', (chunk: Buffer) => {
          if (chunk.includes(CONTENT) || chunk.includes(UPSTREAM_CONTENT)) resolve(opened)
        })
        response.on('error', () => {})
        response.on('close', () => {
          closed = true
        })
      },
    )
    call.on('error', reject)
    call.end(payload)
  })
}
