import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Faults } from './faults.js'
import { awaitHead, type Dialect, FaultyStream, leavingOf } from './faulty-stream.js'
import { describeBody, type ExecuteBody, parseExecute } from './runtime-body.js'
import { keepsFence, runtimeDone, runtimeFrame, runtimeFrames } from './runtime-frames.js'
import {
  type ReceivedRequest,
  type Simulator,
  type SimulatorOptions,
  send,
  startSimulator,
} from './simulator-server.js'

const DIALECT: Dialect = {
  newline: 'crlf',
  ping: `data: ${runtimeFrame('ping', {})}\r\n\r\n: ping\r\n\r\n`,
  textFrame: (content) => runtimeFrame('text_chunk', { content }),
  errorFrame(fault) {
    const told = fault === true ? {} : fault
    return runtimeFrame('execution_error', {
      error: told.error ?? 'simulated failure',
      code: told.code ?? 'SIMULATED_ERROR',
      ...(told.httpStatus === undefined ? {} : { httpStatus: told.httpStatus }),
      ...(told.traceId === undefined ? {} : { traceId: told.traceId }),
    })
  },
}

/** A stand-in for the agent runtime: executes, cancels and is healthy, or whatever its faults say. */
export async function startRuntimeSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  // As the real one: only the newest execution of a session id can be cancelled.
  const running = new Map<string, AbortController>()

  async function execute(request: ReceivedRequest, response: ServerResponse, all: Faults): Promise<void> {
    const faults = faultsFor(request, all)
    const leaving = leavingOf(response)
    const cancelled = new AbortController()
    const stop = AbortSignal.any([leaving.signal, cancelled.signal])
    const sessionId = sessionOf(request.body)
    running.set(sessionId, cancelled)
    try {
      if (!(await awaitHead(faults, leaving.signal))) return
      if (faults.resetAfterMs !== undefined) {
        await sleep(faults.resetAfterMs)
        response.socket?.resetAndDestroy()
        return
      }
      const body = begin(request, response, faults)
      if (body === undefined) return
      const stream = new FaultyStream(response, faults, DIALECT, stop)
      await stream.send(runtimeFrames(body, faults))
      if (cancelled.signal.aborted && !leaving.signal.aborted) stream.finish([CANCELLED, runtimeDone])
    } finally {
      if (running.get(sessionId) === cancelled) running.delete(sessionId)
    }
  }

  function cancel(request: ReceivedRequest, response: ServerResponse): void {
    let body: unknown
    try {
      body = JSON.parse(request.body)
    } catch {
      response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' }).end('Internal Server Error')
      return
    }
    const parsed = z.object({ session_id: z.string().min(1) }).safeParse(body)
    if (!parsed.success) {
      send(response, 400, { error: 'session_id is required' })
      return
    }
    const { session_id } = parsed.data
    const execution = running.get(session_id)
    execution?.abort()
    send(response, 200, { cancelled: execution !== undefined, session_id })
  }

  async function answer(request: ReceivedRequest, response: ServerResponse, faults: Faults): Promise<void> {
    const route = `${request.method} ${request.path}`
    if (route === 'POST /api/v1/execute/stream') return execute(request, response, faults)
    if (route === 'POST /api/v1/execute/cancel') return cancel(request, response)
    if (route !== 'GET /health') return send(response, 404, { detail: 'Not Found' })
    if (faults.healthDelayMs !== undefined) await sleep(faults.healthDelayMs)
    const status = faults.healthStatus ?? 200
    send(response, status, { status: status < 300 ? 'healthy' : 'unhealthy', service: 'runtime-simulator' })
  }

  return startSimulator(options, answer, ({ body }) => describeBody(body))
}

const CANCELLED = {
  kind: 'event' as const,
  data: runtimeFrame('execution_error', { error: 'Execution cancelled', code: 'EXECUTION_CANCELLED' }),
}

/** Where the faults are for some orgs alone, everybody else's executions are well. */
function faultsFor({ body }: ReceivedRequest, all: Faults): Faults {
  const { onlyOrgs } = all
  if (onlyOrgs === undefined) return all
  const parsed = parseExecute(body)
  if (!('body' in parsed) || onlyOrgs.includes(parsed.body.org_id)) return all
  const {
    status: _,
    errorEvent: __,
    hang: ___,
    garbage: ____,
    softFailure: _____,
    dropAfterEvents: ______,
    ...rest
  } = all
  return rest
}

/** Sends the head; undefined if the answer is an error and there will be no stream. */
function begin(request: ReceivedRequest, response: ServerResponse, faults: Faults): ExecuteBody | undefined {
  const parsed = parseExecute(request.body)
  if (faults.status !== undefined) sendFault(response, faults.status)
  else if ('detail' in parsed) send(response, 422, parsed)
  else {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-request-id': String(request.headers['x-request-id'] ?? ''),
      ...(keepsFence(parsed.body, faults) ? { 'x-chat-shadow': 'honoured' } : {}),
    })
    response.flushHeaders()
    return parsed.body
  }
  return undefined
}

function sessionOf(text: string): string {
  const parsed = parseExecute(text)
  return 'body' in parsed ? parsed.body.session_id : ''
}

function sendFault(response: ServerResponse, status: number): void {
  const detail =
    status === 422
      ? [{ type: 'missing', loc: ['body', 'user_message'], msg: 'Field required', input: {} }]
      : 'simulated failure'
  send(response, status, { detail })
}
