import { Agent, request } from 'node:http'
import { quantile } from './statistics.js'

/** Load that does not wait for answers: what is refused or slow slows nothing that comes after it. */

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
  /** ms from the request to the end */
  readonly totalMs: number
  /** `performance.now()` at the end */
  readonly endedAt: number
}

export interface Load {
  readonly seconds: number
  readonly attempts: readonly Attempt[]
  /** turns that were complete while the load lasted, a second: what is only finished afterwards was not served at that rate */
  readonly goodput: number
  /** ms of complete turns */
  readonly p99: number
  readonly refused: number
  /** neither complete nor refused */
  readonly broken: number
  /**
   * most ms that the load itself was late with a turn: behind its schedule, or waiting for one of its own connections. If that is much,
   * the load was the limit and not the service.
   */
  readonly lateMs: number
}

/** ms after which an attempt counts as broken */
const DEADLINE_MS = 30_000
/** of the turns of this bench, at least */
const TURN_SECONDS = 0.5
const DONE = 'event: done'

/**
 * Connections that are kept, as a proxy keeps them: Node accepts one new connection in each round of its event loop, so under load
 * new ones would wait before the service sees them.
 */
export async function openConnections(url: string): Promise<Agent> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, maxFreeSockets: CONNECTIONS })
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const call = request(`${url}/health/live`, { agent }, (response) => {
        response.resume()
        response.on('end', resolve)
      })
      call.on('error', reject)
      call.end()
    })
  await Promise.all(Array.from({ length: CONNECTIONS }, one))
  return agent
}

const CONNECTIONS = 1000

export async function putLoad(
  { url, agent }: { readonly url: string; readonly agent: Agent },
  order: object,
  clients: readonly Client[],
  seconds: number,
): Promise<Load> {
  const endAt = performance.now() + seconds * 1000
  const payload = Buffer.from(JSON.stringify({ agentId: 'assistant', message: JSON.stringify(order) }))
  const pending: Promise<Attempt>[] = []
  const late = { most: 0 }
  await Promise.all(clients.map((client) => start(url, client, seconds, { agent, payload, pending, late })))
  const attempts = await Promise.all(pending)
  const complete = attempts.filter((one) => one.complete)
  const refused = attempts.filter(({ status }) => status === 503 || status === 429).length
  return {
    seconds,
    attempts,
    // The first turns of a load are not complete before the time of a turn.
    goodput: complete.filter(({ endedAt }) => endedAt <= endAt).length / (seconds - TURN_SECONDS),
    p99: quantile(
      complete.map(({ totalMs }) => totalMs),
      0.99,
    ),
    refused,
    broken: attempts.length - complete.length - refused,
    lateMs: late.most,
  }
}

interface Around {
  readonly agent: Agent
  readonly payload: Buffer
  readonly pending: Promise<Attempt>[]
  readonly late: { most: number }
}

async function start(
  url: string,
  client: Client,
  seconds: number,
  { agent, payload, pending, late }: Around,
): Promise<void> {
  const startedAt = performance.now()
  const count = Math.round(seconds * client.perSecond)
  for (let turn = 0; turn < count; turn += 1) {
    const dueIn = startedAt + ((turn + Math.random()) * 1000) / client.perSecond - performance.now()
    if (dueIn > 0) await new Promise((resolve) => setTimeout(resolve, dueIn))
    else late.most = Math.max(late.most, -dueIn)
    pending.push(attempt(url, client, { agent, payload, late }))
  }
}

function attempt(
  url: string,
  { name, bearer }: Client,
  { agent, payload, late }: Omit<Around, 'pending'>,
): Promise<Attempt> {
  return new Promise((resolve) => {
    const startedAt = performance.now()
    const ended = (status: number, complete: boolean): void =>
      resolve({
        client: name,
        status,
        complete,
        totalMs: performance.now() - startedAt,
        endedAt: performance.now(),
      })
    const call = request(
      `${url}/api/v1/chat/start`,
      {
        method: 'POST',
        agent,
        timeout: DEADLINE_MS,
        headers: {
          authorization: bearer,
          'content-type': 'application/json',
          'content-length': payload.length,
        },
      },
      (response) => {
        const status = response.statusCode ?? 0
        let tail = ''
        response.on('data', (chunk: Buffer) => {
          if (status === 200) tail = (tail + chunk.toString('latin1')).slice(-512)
        })
        response.on('error', () => ended(0, false))
        response.on('end', () => ended(status, tail.includes(DONE)))
      },
    )
    call.on('socket', () => {
      late.most = Math.max(late.most, performance.now() - startedAt)
    })
    call.on('timeout', () => call.destroy())
    call.on('error', () => ended(0, false))
    call.end(payload)
  })
}
