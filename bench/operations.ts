import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startTurn } from '../test/support/chat-client.js'
import { redisLink } from '../test/support/fleet.js'
import { freePort } from '../test/support/free-port.js'
import { startPostgresServer } from '../test/support/postgres-server.js'
import { bearer, startServiceProcess, startSimulator, temporaryFlags } from '../test/support/processes.js'
import { serve } from '../test/support/redis.js'
import { until } from '../test/support/until.js'

/**
 * What one replica asks of Redis and PostgreSQL: idle, for each second, and for each turn. Counts, not times, so other work on the
 * machine does not matter. `node --import tsx bench/operations.ts [turns]`; needs redis-server and PostgreSQL.
 */

const IDLE_MS = 20_000
const EVENTS = 50

interface Counted {
  readonly at: number
  readonly commands: ReadonlyMap<string, number>
  readonly redisIn: number
  readonly redisOut: number
  readonly transactions: number
  readonly statements: ReadonlyMap<string, number>
}

const turns = Number(process.argv[2] ?? 100)
const directory = mkdtempSync(join(tmpdir(), 'chat-cutover-operations-'))
const port = await freePort()
const redis = await serve('redis-server', port, directory)
const server = await startPostgresServer()
const database = new pg.Client({ connectionString: server.url('postgres') })
await database.connect()
await database.query("ALTER SYSTEM SET log_statement = 'none'")
const flags = temporaryFlags()
const llm = await startSimulator('llm')
const faults = await fetch(`${llm.url}/_faults`, {
  method: 'PUT',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ events: EVENTS }),
})
if (!faults.ok) throw new Error(`the simulator takes no number of events: ${await faults.text()}`)
const service = await startServiceProcess({
  llmUrl: llm.url,
  runtimeUrl: 'http://127.0.0.1:1',
  flags,
  env: {
    CHAT_DATABASE: server.url('postgres'),
    // Without a grace nobody can resume, and nothing is copied.
    CHAT_RECONNECT_GRACE_MS: '10000',
    CHAT_FLAG_STORE: 'postgres:',
    CHAT_FLAG_STORE_OPS: 'true',
    CHAT_REDIS_URL: `redis://127.0.0.1:${port}`,
  },
})
const authorization = await bearer()
const link = redisLink(`redis://127.0.0.1:${port}`)
link.start()
await until('Redis', () => link.isUp)

const numberIn = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1])

async function count(): Promise<Counted> {
  const [stats, info] = await Promise.all([
    link.call('', 'INFO', 'commandstats'),
    link.call('', 'INFO', 'stats'),
  ])
  const commands = new Map<string, number>()
  for (const [, name = '', calls] of String(stats).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm))
    if (!['ping', 'info', 'hello'].includes(name)) commands.set(name, Number(calls))
  // Of connections in use, the counts come with a delay of up to 10 s unless they are asked for.
  await database.query('SELECT pg_stat_clear_snapshot()')
  const { rows } = await database.query<{ commits: string }>(
    'SELECT xact_commit AS commits FROM pg_stat_database WHERE datname = current_database()',
  )
  const { rows: tables } = await database.query<{ name: string; reads: string; writes: string }>(
    `SELECT relname AS name, seq_scan + coalesce(idx_scan, 0) AS reads, n_tup_ins + n_tup_upd + n_tup_del AS writes
     FROM pg_stat_user_tables`,
  )
  const statements = new Map(
    tables.flatMap(({ name, reads, writes }): [string, number][] => [
      [`${name} scans`, Number(reads)],
      [`${name} rows written`, Number(writes)],
    ]),
  )
  return {
    at: performance.now(),
    commands,
    redisIn: numberIn(String(info), 'total_net_input_bytes'),
    redisOut: numberIn(String(info), 'total_net_output_bytes'),
    transactions: Number(rows[0]?.commits),
    statements,
  }
}

type Rates = ReadonlyMap<string, number>

/** What was counted between both, for each of `units`, without what `idle` (a second) makes in that time. */
function between(before: Counted, after: Counted, units: number, idle?: Rates): Rates {
  const seconds = (after.at - before.at) / 1000
  const all: [string, number][] = [
    ...[...after.commands].map(([name, calls]): [string, number] => [
      `redis ${name}`,
      calls - (before.commands.get(name) ?? 0),
    ]),
    ['redis bytes in', after.redisIn - before.redisIn],
    ['redis bytes out', after.redisOut - before.redisOut],
    ['postgres transactions', after.transactions - before.transactions],
    ...[...after.statements].map(([name, calls]): [string, number] => [
      `postgres ${name}`,
      calls - (before.statements.get(name) ?? 0),
    ]),
  ]
  return new Map(
    all.map(([name, calls]): [string, number] => [name, (calls - (idle?.get(name) ?? 0) * seconds) / units]),
  )
}

const print = (title: string, rates: Rates): void => {
  const lines = [...rates]
    .filter(([, rate]) => Math.abs(rate) >= 0.005)
    .map(([name, rate]) => `${name.padEnd(44)} ${rate.toFixed(2)}`)
  process.stdout.write(`${title}\n${lines.map((line) => `  ${line}\n`).join('')}\n`)
}
const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

try {
  await startTurn(service.url, authorization)
  await rest(12_000)
  const start = await count()
  await rest(IDLE_MS)
  const idleEnd = await count()
  const idle = between(start, idleEnd, (idleEnd.at - start.at) / 1000)
  print('idle, each second', idle)
  for (let at = 0; at < turns; at += 1) await startTurn(service.url, authorization)
  // PostgreSQL tells what a connection did at most 1 s after it, and while it is idle at most 10 s.
  await rest(12_000)
  const end = await count()
  const each = between(idleEnd, end, turns, idle)
  print(`each of ${turns} turns`, each)
} finally {
  await link.close()
  await service.end('SIGTERM')
  await llm.end()
  await database.end()
  await server.remove()
  redis.kill('SIGKILL')
  flags.remove()
  rmSync(directory, { recursive: true, force: true })
}
