import { type Agent, request } from 'node:http'
import { parseEvents } from '../support/chat-client.js'

/**
 * How one turn ended for its client. Before the commit point (the first text) nothing may fail; after it an honest error
 * is allowed. `broken`: no terminal event, more than one, something after it, or a `done` without the whole answer.
 * `left`: its user lost patience.
 */
export type TurnKind = 'ok' | 'failed_before' | 'failed_after' | 'broken' | 'left'

export interface TurnEnd {
  readonly org: string
  readonly replica: string
  /** what its user sent; no other turn's */
  readonly message: string
  /** ms, `performance.now()` */
  readonly startedAt: number
  readonly endedAt: number
  readonly kind: TurnKind
  /** what went wrong; `""` for ok */
  readonly detail: string
  /** what the flags said, where the turn got to its `done` */
  readonly decided?: 'direct_llm' | 'runtime_orchestrator'
  /** the decision's reason */
  readonly reason?: string
  readonly failover: boolean
  /** cause and phase of the failover; `""` without one */
  readonly cause?: string
}

export interface TurnCall {
  readonly agent: Agent
  readonly replica: string
  readonly org: string
  readonly url: string
  readonly authorization: string
  /** a text of its own, without spaces: both simulators end their answer with it */
  readonly message: string
  /** ms without a text after which the user leaves */
  readonly leaveAfterMs?: number
}

/** ms; far longer than any deadline of a drill */
const TURN_MS = 60_000

const LEFT = 'the user left'

type Answer =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string; readonly cut: string }
  | { readonly kind: 'none'; readonly why: string }

/** One new session with one turn, read to its end. Never rejects. */
export async function runTurn(call: TurnCall): Promise<TurnEnd> {
  const startedAt = performance.now()
  const answer = await post(call)
  const { org, replica, message } = call
  const times = { org, replica, message, startedAt, endedAt: performance.now() }
  if ((answer.kind === 'none' ? answer.why : answer.cut) === LEFT)
    return { ...times, kind: 'left', detail: LEFT, failover: false }
  if (answer.kind === 'none') return { ...times, kind: 'failed_before', detail: answer.why, failover: false }
  if (answer.status !== 200)
    return { ...times, kind: 'failed_before', detail: `HTTP ${answer.status}`, failover: false }
  return { ...times, ...classify(answer.body, answer.cut, call.message) }
}

function post({ agent, url, authorization, message, leaveAfterMs }: TurnCall): Promise<Answer> {
  const payload = Buffer.from(JSON.stringify({ agentId: 'assistant', message }))
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    let status = 0
    const settle = (cut: string): void => {
      clearTimeout(timer)
      clearTimeout(patience)
      const body = Buffer.concat(pieces).toString('utf8')
      resolve(status === 0 ? { kind: 'none', why: cut } : { kind: 'answer', status, body, cut })
    }
    const call = request(
      `${url}/api/v1/chat/start`,
      {
        method: 'POST',
        agent,
        headers: { authorization, 'content-type': 'application/json', 'content-length': payload.length },
      },
      (response) => {
        status = response.statusCode ?? 0
        response.on('data', (piece: Buffer) => {
          pieces.push(piece)
          if (piece.includes('"type":"text"')) clearTimeout(patience)
        })
        response.on('error', (error) => settle(hasLeft ? LEFT : error.message))
        response.on('end', () => settle(''))
      },
    )
    const timer = setTimeout(() => call.destroy(new Error(`no end within ${TURN_MS} ms`)), TURN_MS)
    let hasLeft = false
    const leave = (): void => {
      hasLeft = true
      call.destroy(new Error(LEFT))
    }
    const patience = leaveAfterMs === undefined ? undefined : setTimeout(leave, leaveAfterMs)
    call.on('error', (error) => settle(error.message))
    call.end(payload)
  })
}

type Classified = Pick<TurnEnd, 'kind' | 'detail' | 'decided' | 'reason' | 'failover' | 'cause'>

/** The whole stream, by the protocol's own words. */
export function classify(body: string, cut: string, message: string): Classified {
  const events = framesOf(body)
  if (events === undefined) return { kind: 'broken', detail: 'a torn frame', failover: false }
  let text = ''
  const terminals: number[] = []
  events.forEach(({ event, data }, at) => {
    if (event === 'message') text += textOf(data)
    if (event === 'done' || event === 'error') terminals.push(at)
  })
  const committed = text !== ''
  const failed = (detail: string): Classified => ({
    kind: committed ? 'failed_after' : 'failed_before',
    detail,
    failover: false,
  })
  const broken = (detail: string): Classified =>
    committed ? { kind: 'broken', detail, failover: false } : failed(detail)
  const last = events.at(-1)
  if (terminals.length !== 1 || last === undefined || terminals[0] !== events.length - 1)
    return broken(cut || `${terminals.length} terminal events`)
  if (last.event === 'error') return failed(field(last.data, 'code'))
  const answeredBy = field(last.data, 'executionMode')
  const whole = `[${answeredBy === 'direct_llm' ? 'direct' : 'runtime'}] Answer 1 to: ${message}`
  if (text !== whole) return broken(`done without the whole answer: ${text.slice(0, 60)}`)
  return { kind: 'ok', detail: '', ...decisionOf(last.data) }
}

function framesOf(body: string): ReturnType<typeof parseEvents> | undefined {
  try {
    return parseEvents(body)
  } catch {
    return undefined
  }
}

function decisionOf(data: unknown): Pick<TurnEnd, 'decided' | 'reason' | 'failover' | 'cause'> {
  const decision = part(data, 'decision')
  const failover = part(data, 'failover')
  return {
    decided: field(decision, 'mode') === 'direct_llm' ? 'direct_llm' : 'runtime_orchestrator',
    reason: field(decision, 'reason'),
    failover: failover !== undefined,
    cause: failover === undefined ? '' : `${field(failover, 'cause')} (${field(failover, 'phase')})`,
  }
}

const textOf = (data: unknown): string =>
  field(data, 'type') === 'text' ? field(part(data, 'data'), 'content') : ''

function part(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function field(value: unknown, name: string): string {
  const found = part(value, name)
  return typeof found === 'string' ? found : ''
}
