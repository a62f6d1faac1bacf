import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stage } from './dockerfile.js'
import { mount, type Root } from './layers.js'

/** ms until the health check must have succeeded, and until the process must have ended */
const DEADLINE_MS = 20_000
/** between two health checks */
const PAUSE_MS = 200
const SHELLS = ['bash', 'dash', 'sh', 'busybox']
const PORT = 38_117

/** Starts the service as docker-compose.yml does: read-only, as its user, without capabilities; and without a shell. Returns what is wrong, a line each. */
export async function tryStart(image: Stage, root: Root): Promise<string[]> {
  const [uid = 0, gid = uid] = (image.user ?? '0:0').split(':').map(Number)
  mount([
    '-t',
    'tmpfs',
    '-o',
    `uid=${uid},gid=${gid},mode=700`,
    'tmpfs',
    join(root.path, image.workdir, 'data'),
  ])
  mount(['-t', 'tmpfs', 'tmpfs', join(root.path, 'tmp')])
  for (const shell of SHELLS) {
    const path = join(root.path, 'usr/bin', shell)
    if (existsSync(path)) mount(['--bind', '/dev/null', path])
  }
  mount(['-o', 'remount,ro', root.path])
  const inside = (command: readonly string[]): string[] => [
    root.path,
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--no-new-privs',
    '--bounding-set=-all',
    'env',
    '-C',
    image.workdir,
    ...command,
  ]
  const env = { PATH: process.env.PATH, ...image.env, ...settings(image.workdir) }
  const child = spawn('chroot', inside(image.command ?? []), { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)))
  try {
    if (!(await isHealthy(inside(image.healthcheck ?? []), env, child)))
      return [`the health check did not succeed within ${DEADLINE_MS / 1_000} s:\n${output.slice(-2_000)}`]
    return [...rightsOf(child.pid, uid), ...(await pagesFaults()), ...(await endFaults(child))]
  } finally {
    child.kill('SIGKILL')
  }
}

const settings = (workdir: string): Record<string, string> => ({
  PORT: String(PORT),
  HOST: '127.0.0.1',
  JWT_SECRET: randomBytes(32).toString('hex'),
  LLM_BASE_URL: 'http://127.0.0.1:9/v1',
  FLAGD_RESOLVER: 'file',
  CHAT_FLAGS_FILE: `${workdir}/flags/chat.flagd.json`,
  CHAT_FALLBACK_FLAGS_FILE: `${workdir}/data/auto-fallback.flagd.json`,
})

async function isHealthy(check: string[], env: NodeJS.ProcessEnv, child: ChildProcess): Promise<boolean> {
  const until = performance.now() + DEADLINE_MS
  while (performance.now() < until && child.exitCode === null) {
    if (spawnSync('chroot', check, { env, timeout: 5_000 }).status === 0) return true
    // A fixed pause, up to the deadline: each look starts a process, and a faster one would only take CPU time from the start.
    await sleep(PAUSE_MS)
  }
  return false
}

function rightsOf(pid: number | undefined, uid: number): string[] {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const value = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? ''
  const faults: string[] = []
  if (value('Uid') !== String(uid)) faults.push(`runs as user ${value('Uid')}, not ${uid}`)
  if (!/^0+$/.test(value('CapEff'))) faults.push(`has capabilities: ${value('CapEff')}`)
  if (value('NoNewPrivs') !== '1') faults.push('may gain new rights')
  return faults
}

/** What the build puts beside the code is served: the console and the page of the API. */
async function pagesFaults(): Promise<string[]> {
  const faults: string[] = []
  for (const path of ['/console', '/docs', '/openapi.json']) {
    const { status } = await fetch(`http://127.0.0.1:${PORT}${path}`, { signal: AbortSignal.timeout(5_000) })
    if (status !== 200) faults.push(`GET ${path} answers ${status}`)
  }
  return faults
}

async function endFaults(child: ChildProcess): Promise<string[]> {
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(DEADLINE_MS) }).catch(() => ['deadline'])
  child.kill('SIGTERM')
  const [code] = await ended
  return code === 0 ? [] : [`SIGTERM: ended with ${String(code)}, not 0`]
}
