import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { LoadConnections } from './load-connections.js'
import { quantile } from './statistics.js'

/**
 * Load that does not wait for answers: what is refused or slow slows nothing that comes after it. The process of the bench does nothing
 * else meanwhile; the service and the stand-in LLM are processes of their own.
 */

export interface Client {
  readonly name: string
  readonly bearer: string
  /** turns a second */
  readonly perSecond: number
}

export interface Attempt {
  readonly client: string
  /** 0: no answer */
  readonly status: number
  readonly complete: boolean
  /** ms from the request, written to a connection that was ready, to the end of its answer */
  readonly totalMs: number
  /** `performance.now()` at the end */
  readonly endedAt: number
}

/** ms that the load itself was late. If that is much, the load was the limit and not the service. */
export interface OwnDelays {
  /** a turn behind its schedule, the 99th percentile */
  readonly scheduleP99: number
  /** a turn waiting for one of the load's connections, the most */
  readonly connectionMost: number
  /** the load's event loop, the 99th percentile */
  readonly loopP99: number
}

export interface Load {
  readonly seconds: number
  readonly attempts: readonly Attempt[]
  /** turns that were complete while the load lasted, a second: what is only finished afterwards was not served at that rate */
  readonly goodput: number
  /** ms of complete turns */
  readonly p50: number
  readonly p99: number
  readonly refused: number
  /** neither complete nor refused */
  readonly broken: number
  readonly own: OwnDelays
}

/** ms after the last request in which an answer has to end; later it counts as broken */
const DEADLINE_MS = 30_000
/** of the turns of this bench, at least */
const TURN_SECONDS = 0.5
/** ms between two looks for turns that are due */
const TICK_MS = 1

export async function putLoad(
  url: string,
  connections: LoadConnections,
  order: object,
  clients: readonly Client[],
  seconds: number,
): Promise<Load> {
  await connections.open()
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const due = schedule(url, order, clients, seconds)
  const attempts: Attempt[] = []
  const late: number[] = []
  let connectionMost = 0
  const startedAt = performance.now()
  const begin = ({ client, request, at }: Due): void => {
    const askedAt = performance.now()
    late.push(askedAt - startedAt - at)
    connections.take((connection) => {
      const writtenAt = performance.now()
      connectionMost = Math.max(connectionMost, writtenAt - askedAt)
      connection.send(request, ({ status, complete }) => {
        const endedAt = performance.now()
        attempts.push({ client, status, complete, totalMs: endedAt - writtenAt, endedAt })
      })
    })
  }
  let next = 0
  while (next < due.length) {
    const now = performance.now() - startedAt
    for (let one = due[next]; one !== undefined && one.at <= now; one = due[next]) {
      next += 1
      begin(one)
    }
    await pause(TICK_MS)
  }
  const endAt = startedAt + seconds * 1000
  while (attempts.length < due.length && performance.now() < endAt + DEADLINE_MS) await pause(50)
  loop.disable()
  const complete = attempts.filter((one) => one.complete)
  const refused = attempts.filter(({ status }) => status === 503 || status === 429).length
  const times = complete.map(({ totalMs }) => totalMs)
  return {
    seconds,
    attempts,
    // The first turns of a load are not complete before the time of a turn.
    goodput: complete.filter(({ endedAt }) => endedAt <= endAt).length / (seconds - TURN_SECONDS),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    refused,
    broken: due.length - complete.length - refused,
    own: { scheduleP99: quantile(late, 0.99), connectionMost, loopP99: loop.percentile(99) / 1e6 },
  }
}

interface Due {
  readonly client: string
  readonly request: Buffer
  /** ms after the start */
  readonly at: number
}

/** Each turn at a random instant of its own share of the time. */
function schedule(url: string, order: object, clients: readonly Client[], seconds: number): Due[] {
  const all = clients.flatMap(({ name, bearer, perSecond }) => {
    const request = requestOf(url, bearer, order)
    return Array.from({ length: Math.round(seconds * perSecond) }, (_, turn) => ({
      client: name,
      request,
      at: ((turn + Math.random()) * 1000) / perSecond,
    }))
  })
  return all.sort((a, b) => a.at - b.at)
}

function requestOf(url: string, bearer: string, order: object): Buffer {
  const body = JSON.stringify({ agentId: 'assistant', message: JSON.stringify(order) })
  const lines = [
    'POST /api/v1/chat/start HTTP/1.1',
    `Host: ${new URL(url).host}`,
    `Authorization: ${bearer}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
