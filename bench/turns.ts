import { type Agent, request } from 'node:http'

/** One turn as its user saw it; times in ms from the request. */
export interface TurnSeen {
  readonly status: number
  /** s; only where the turn was refused */
  readonly retryAfter: number | undefined
  readonly firstContentMs: number | undefined
  readonly endedMs: number
  /** when it ended, in ms of `performance.now()` */
  readonly endedAt: number
  readonly end: 'done' | 'error' | 'refused' | 'broken'
  /** code of the `error` event */
  readonly code: string | undefined
}

/** Starts a session and reads its stream to the end. Never rejects. */
export function seeTurn(agent: Agent, url: string, bearer: string): Promise<TurnSeen> {
  const payload = JSON.stringify({ agentId: 'bench', message: 'hello' })
  const startedAt = performance.now()
  const since = (): number => performance.now() - startedAt
  return new Promise((resolve) => {
    let text = ''
    let firstContentMs: number | undefined
    const ended = (status: number, end: TurnSeen['end'], retryAfter?: number): void =>
      resolve({
        status,
        retryAfter,
        firstContentMs,
        endedMs: since(),
        endedAt: performance.now(),
        end,
        code: /event: error\n(?:id: \d+\n)?data: .*?"code":"(\w+)"/.exec(text)?.[1],
      })
    const call = request(
      `${url}/api/v1/chat/start`,
      { method: 'POST', agent, headers: { 'content-type': 'application/json', authorization: bearer } },
      (response) => {
        const status = response.statusCode ?? 0
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
          if (firstContentMs === undefined && text.includes('event: message')) firstContentMs = since()
        })
        response.on('error', () => ended(status, 'broken'))
        response.on('end', () => {
          if (status !== 200) ended(status, 'refused', Number(response.headers['retry-after']))
          else if (text.includes('event: done')) ended(status, 'done')
          else ended(status, text.includes('event: error') ? 'error' : 'broken')
        })
      },
    )
    call.on('error', () => ended(0, 'broken'))
    call.end(payload)
  })
}

/** So many turns a second, whatever becomes of them. */
export async function turnsAtPace(
  perSecond: number,
  count: number,
  turn: () => Promise<TurnSeen>,
): Promise<readonly TurnSeen[]> {
  const turns: Promise<TurnSeen>[] = []
  const startedAt = performance.now()
  for (let n = 0; n < count; n++) {
    const dueIn = startedAt + (n * 1000) / perSecond - performance.now()
    if (dueIn > 0) await new Promise((resolve) => setTimeout(resolve, dueIn))
    turns.push(turn())
  }
  return Promise.all(turns)
}
