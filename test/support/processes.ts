import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { SignJWT } from 'jose'
import { oneFile } from './one-file.js'

/**
 * Real processes of the built service and simulators, as `npm start` and docker-compose.yml run them. Most run from one file,
 * which starts in half the CPU time; `startProcess` runs what it is told, so tests of the files of `dist/` use that.
 */

const START_DEADLINE_MS = 20_000
/** of one process; beyond it what was logged for information is forgotten */
const MOST_LINES = 50_000
export const TEST_SECRET = 'integration-secret-integration-secret'

export interface RunningProcess {
  readonly url: string
  readonly pid: number
  /** parsed log lines so far */
  readonly log: readonly Record<string, unknown>[]
  /** ms from the spawn to the `listening` line */
  readonly startedInMs: number
  /** Sends the signal and waits for the end; the exit code, or the signal's name. */
  end(signal?: NodeJS.Signals): Promise<number | string>
  /** Nobody reads its standard output any more. */
  closeOutput(): void
  /** how it ended, once it has */
  readonly ended: Promise<number | string>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** @param through a command that becomes the process in the end, like `ip netns exec` */
export async function startProcess(
  args: readonly string[],
  env: Record<string, string> = {},
  cwd: string = process.cwd(),
  through: readonly string[] = [],
): Promise<RunningProcess> {
  const spawnedAt = performance.now()
  const [command = process.execPath, ...rest] = [...through, process.execPath, ...args]
  const child = spawn(command, rest, {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const log: Record<string, unknown>[] = []
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const ended = once(child, 'exit').then(([code, signal]) => {
    running.delete(child)
    return typeof code === 'number' ? code : String(signal)
  })
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${args.join(' ')} did not start: ${errors}`))
    }, START_DEADLINE_MS)
    void ended.then((how) => {
      clearTimeout(timer)
      reject(new Error(`${args.join(' ')} ended with ${how}: ${errors}`))
    })
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = parseLine(line)
      log.push(entry)
      if (log.length > MOST_LINES) log.splice(0, log.length, ...log.filter(({ level }) => level !== 'info'))
      if (entry.msg !== 'listening') return
      clearTimeout(timer)
      resolve(String(entry.url ?? ''))
    })
  })
  return {
    url,
    pid: child.pid ?? 0,
    log,
    startedInMs: performance.now() - spawnedAt,
    ended,
    closeOutput: () => child.stdout.destroy(),
    end(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
  }
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line)
  } catch {
    return { msg: line }
  }
}

export const startSimulator = async (kind: 'llm' | 'runtime'): Promise<RunningProcess> =>
  startProcess([await oneFile('dist/simulator/main.js'), kind, '--port', '0'])

/** The ops file as the tests change it; they know what they put there. */
interface FlagDocument {
  flags: Record<string, { defaultVariant: string | null; variants: Record<string, object> }>
}

/** A folder of its own with a copy of both flag files, without overload protection; `edit` saves by an atomic rename. */
export interface TemporaryFlags {
  readonly folder: string
  readonly opsFile: string
  readonly overrideFile: string
  read(): string
  write(text: string): void
  edit(change: (document: FlagDocument) => void): void
  remove(): void
}

export function temporaryFlags(): TemporaryFlags {
  const folder = mkdtempSync(join(tmpdir(), 'chat-cutover-'))
  const opsFile = join(folder, 'chat.flagd.json')
  const overrideFile = join(folder, 'auto-fallback.flagd.json')
  // The suites share the processors of one machine. A busy machine is no overload of the service under test, which would then
  // refuse turns and drop shadows that a test counts.
  const ops = readFileSync('flags/chat.flagd.json', 'utf8')
  writeFileSync(opsFile, ops.replace(/(?<="overloadDelayMs": )\d+/, '0'))
  copyFileSync('flags/auto-fallback.flagd.json', overrideFile)
  const read = (): string => readFileSync(opsFile, 'utf8')
  const write = (text: string): void => {
    writeFileSync(`${opsFile}.new`, text)
    renameSync(`${opsFile}.new`, opsFile)
  }
  return {
    folder,
    opsFile,
    overrideFile,
    read,
    write,
    edit(change) {
      const document: FlagDocument = JSON.parse(read())
      change(document)
      write(JSON.stringify(document, null, 2))
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

export interface ServiceSetting {
  readonly llmUrl: string
  readonly runtimeUrl: string
  readonly flags: Pick<TemporaryFlags, 'folder' | 'opsFile' | 'overrideFile'>
  readonly env?: Record<string, string>
}

export async function startServiceProcess(setting: ServiceSetting): Promise<RunningProcess> {
  return startProcess([await oneFile('dist/main.js')], {
    PORT: '0',
    JWT_SECRET: TEST_SECRET,
    LLM_BASE_URL: `${setting.llmUrl}/v1`,
    LLM_MODEL: 'simulated',
    RUNTIME_SERVICE_URL: setting.runtimeUrl,
    CHAT_FLAGS_FILE: setting.flags.opsFile,
    CHAT_FALLBACK_FLAGS_FILE: setting.flags.overrideFile,
    CHAT_DATABASE: join(setting.flags.folder, 'chat.db'),
    CHAT_LAMEDUCK_MS: '0',
    CHAT_READY_WAIT_MS: '0',
    // A turn ends with its reader, unless a test is about readers that come back.
    CHAT_RECONNECT_GRACE_MS: '0',
    ...setting.env,
  })
}

export function bearer(
  claims: { org?: string; user?: string; role?: string; expires?: string } = {},
): Promise<string> {
  return new SignJWT({ org_id: claims.org ?? 'acme', role: claims.role ?? 'member' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(claims.user ?? 'user-1')
    .setExpirationTime(claims.expires ?? '1h')
    .sign(new TextEncoder().encode(TEST_SECRET))
    .then((token) => `Bearer ${token}`)
}
