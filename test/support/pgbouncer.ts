import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Context } from 'mocha'
import pg from 'pg'
import { freePort } from './free-port.js'
import { requireProgram, startProgram } from './owned-program.js'
import { until } from './until.js'

/** A pooler in front of one PostgreSQL server. */
export interface TestPgBouncer {
  /** `given`, by way of the pooler */
  url(given: string): string
  stop(): Promise<void>
}

export interface PgBouncerSettings {
  readonly pool_mode: 'session' | 'transaction'
  readonly ignore_startup_parameters?: string
  readonly default_pool_size?: number
  readonly max_prepared_statements?: number
}

const BINARY = process.env.PGBOUNCER_BIN ?? 'pgbouncer'

/** Skips the suite where there is no PgBouncer, even where all engines are required. For `before`. */
export function requirePgBouncer(context: Context): void {
  requireProgram(context, BINARY, 'PgBouncer in PGBOUNCER_BIN or on the PATH')
}

/** like 1.21 */
export function pgBouncerVersion(): number {
  const { stdout } = spawnSync(BINARY, ['--version'], { encoding: 'utf8' })
  const [, major, minor] = /PgBouncer (\d+)\.(\d+)/.exec(stdout) ?? []
  return Number(major) + Number(minor) / 100
}

/** @param server a URL of the server behind it, whose users need no password */
export async function startPgBouncer(server: string, settings: PgBouncerSettings): Promise<TestPgBouncer> {
  const { hostname, port: serverPort } = new URL(server)
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'chat-cutover-pgbouncer-'))
  // It gives up the rights of root, and still reads its file.
  chmodSync(directory, 0o755)
  const isRoot = process.getuid?.() === 0
  const lines = Object.entries({
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'any',
    ...(isRoot ? { user: 'nobody' } : {}),
    ...settings,
  }).map(([name, value]) => `${name} = ${value}`)
  const file = join(directory, 'pgbouncer.ini')
  writeFileSync(
    file,
    `[databases]\n* = host=${hostname} port=${serverPort} user=chat\n[pgbouncer]\n${lines.join('\n')}\n`,
  )
  const pgBouncer = startProgram(BINARY, [file])
  const url = (given: string): string => {
    const through = new URL(given)
    through.port = String(port)
    return through.href
  }
  await until('PgBouncer', async () => {
    pgBouncer.expectRunning()
    return answers(url(server))
  })
  return {
    url,
    async stop() {
      await pgBouncer.stop('SIGQUIT')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}
