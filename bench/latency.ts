import { createConnections, readStream } from './client.js'
import { startBare } from './measured-process.js'
import { startOurs } from './ours.js'
import { quantile, type Row, row } from './statistics.js'

/** Added time to first content at 100 turns a second, over a direct call to the upstream, beside the bare Koa + got push relay. */
const TURNS_PER_SECOND = 100
const SECONDS = 6
const ROUNDS = 3
const FIRST_AFTER_MS = 20

interface Target {
  readonly name: 'direct' | 'relay' | 'ours'
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: object
}

export async function benchLatency(upstream: string, report: (text: string) => void): Promise<Row[]> {
  const ours = await startOurs(upstream)
  const relay = await startBare('koa-push.ts', upstream)
  const message = JSON.stringify({ events: 5, everyMs: 10, firstAfterMs: FIRST_AFTER_MS })
  const targets: Target[] = [
    {
      name: 'direct',
      url: `${upstream}/api/v1/execute/stream`,
      headers: {},
      body: { session_id: 's', agent_id: 'a', org_id: 'o', user_message: message },
    },
    { name: 'relay', url: relay.url, headers: {}, body: { message } },
    {
      name: 'ours',
      url: `${ours.url}/api/v1/chat/start`,
      headers: { authorization: ours.bearer },
      body: { agentId: 'assistant', message },
    },
  ]
  const seen = { direct: [] as number[], relay: [] as number[], ours: [] as number[] }
  try {
    for (const target of targets) await runTurns(target, 2)
    for (let round = 1; round <= ROUNDS; round++)
      for (const target of targets) {
        const times = await runTurns(target, SECONDS)
        seen[target.name].push(...times)
        report(
          `latency, round ${round}/${ROUNDS}: ${target.name} p50 ${quantile(times, 0.5).toFixed(2)} p99 ${quantile(times, 0.99).toFixed(2)} ms`,
        )
      }
  } finally {
    await Promise.all([ours.stop(), relay.stop()])
  }
  return rows(seen)
}

function rows(seen: { direct: number[]; relay: number[]; ours: number[] }): Row[] {
  const at = (name: keyof typeof seen, p: number): number => quantile(seen[name], p)
  const added = (name: 'relay' | 'ours', p: number): number => at(name, p) - at('direct', p)
  const beside = 'floor: bare Koa + got, pushed'
  return [
    row(`added to first content, p50 (${beside})`, 'ms', added('relay', 0.5), added('ours', 0.5), 1.3),
    row(`added to first content, p99 (${beside})`, 'ms', added('relay', 0.99), added('ours', 0.99), 1.3),
    row(`time to first content, p99 (${beside})`, 'ms', at('relay', 0.99), at('ours', 0.99)),
  ]
}

/** Open loop: turns start at their pace whether or not the earlier ones have ended. Gives the ms to the first content of each. */
export async function runTurns(
  target: Pick<Target, 'url' | 'headers' | 'body'>,
  seconds: number,
  perSecond: number = TURNS_PER_SECOND,
): Promise<number[]> {
  const connections = createConnections()
  const turns: Promise<number>[] = []
  const startedAt = performance.now()
  for (let turn = 0; turn < seconds * perSecond; turn++) {
    const dueIn = startedAt + (turn * 1000) / perSecond - performance.now()
    if (dueIn > 0) await new Promise((resolve) => setTimeout(resolve, dueIn))
    turns.push(
      readStream(connections, target.url, target.headers, target.body).then(
        (stream) => stream.firstContentMs,
      ),
    )
  }
  const times = await Promise.all(turns)
  connections.destroy()
  return times
}
