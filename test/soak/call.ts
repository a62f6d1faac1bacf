import { type IncomingMessage, request } from 'node:http'
import type { Target, World } from './world.js'

/** When a client leaves by itself. */
export interface Leaving {
  /** it has read so many bytes of the body */
  readonly afterBytes: number
}

export interface CallOptions {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly authorization?: string
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
  readonly leaving?: Leaving
  /** ms after which the client leaves in any case */
  readonly mostMs?: number
  /** each piece as it comes */
  readonly onPiece?: () => void
  readonly onHead?: (headers: NodeJS.Dict<string | string[]>) => void
}

/**
 * `answered`: to its end. `left`: the client itself cut it. `gone`: the replica was stopped or killed meanwhile. `broken`: cut
 * without such a reason.
 */
export interface Called {
  readonly kind: 'answered' | 'left' | 'gone' | 'broken'
  /** 0 without a head */
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
  readonly why: string
}

/** ms; longer than any deadline of a turn here */
const CALL_MS = 60_000

/** One call. Never rejects. */
export function call(world: World, target: Target, options: CallOptions): Promise<Called> {
  const { method = 'GET', path, authorization, body, leaving, mostMs, onPiece, onHead } = options
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
  const headers = {
    ...(authorization === undefined ? {} : { authorization }),
    ...(payload === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': payload.length }),
    ...options.headers,
  }
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    let read = 0
    let status = 0
    let head: NodeJS.Dict<string | string[]> = {}
    let hasLeft = false
    let answer: IncomingMessage | undefined
    const settle = (why: string): void => {
      clearTimeout(timer)
      clearTimeout(most)
      const text = Buffer.concat(pieces).toString('utf8')
      resolve({ kind: kindOf(why, hasLeft, status, target), status, headers: head, body: text, why })
    }
    const sent = request(`${target.url}${path}`, { method, agent: world.agent, headers }, (response) => {
      answer = response
      status = response.statusCode ?? 0
      head = response.headers
      onHead?.(head)
      response.on('data', (piece: Buffer) => {
        pieces.push(piece)
        read += piece.length
        onPiece?.()
        if (leaving !== undefined && read >= leaving.afterBytes) leave()
      })
      response.on('error', (error) => settle(error.message))
      response.on('end', () => settle(''))
      response.on('close', () => settle('closed before its end'))
    })
    const timer = setTimeout(() => sent.destroy(new Error(`no end within ${CALL_MS} ms`)), CALL_MS)
    const leave = (): void => {
      // The whole answer is here, and the connection already serves another call.
      if (answer?.complete === true) return
      hasLeft = true
      sent.destroy()
    }
    const most = mostMs === undefined ? undefined : setTimeout(leave, mostMs)
    sent.on('error', (error) => settle(error.message))
    sent.end(payload)
  })
}

function kindOf(why: string, hasLeft: boolean, status: number, target: Target): Called['kind'] {
  if (hasLeft) return 'left'
  if (why === '') return 'answered'
  // A replica that was told to stop refuses connections at the end; what it has begun it has to end.
  if (target.state === 'killed' || (target.state === 'leaving' && status === 0)) return 'gone'
  return 'broken'
}

export function headerOf({ headers }: Pick<Called, 'headers'>, name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value : ''
}
