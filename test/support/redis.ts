import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Context } from 'mocha'
import { EngineMissing, skipWithout } from './engines.js'
import { freePort } from './free-port.js'
import { owned } from './owned-program.js'
import { until } from './until.js'

/** A Redis server for tests: one of its own, that may be killed, or the one that `CHAT_TEST_REDIS_URL` names. */
export interface TestRedis {
  /** with a prefix of its own */
  readonly url: string
  /** of the server itself; undefined where it is not ours to kill */
  readonly process: TestProcess | undefined
  stop(): Promise<void>
}

interface TestProcess {
  readonly port: number
  /** SIGKILL */
  kill(): Promise<void>
  /** on the same port, empty */
  restart(): Promise<void>
  /** It hangs: SIGSTOP; `resume` lets it go on. */
  hang(): void
  resume(): void
}

/** For suites that start servers of their own by `serve`; the same as `startRedis` where there is none. For `before`. */
export function requireRedis(context: Context): void {
  if (spawnSync('redis-server', ['--version']).status === 0) return
  skipWithout(
    context,
    new EngineMissing('no redis-server on the PATH, and no CHAT_TEST_REDIS_URL that this suite could use'),
  )
}

/**
 * Skips the suite, saying why, where there is no Redis; fails it where `CHAT_REQUIRE_ENGINES=1` says that there must be one.
 * For `before`.
 */
export async function startRedis(context: Context, { own = false } = {}): Promise<TestRedis> {
  const given = process.env.CHAT_TEST_REDIS_URL
  const prefix = `test-${process.pid}-${Math.random().toString(36).slice(2)}`
  if (given !== undefined && !own)
    return { url: `${given}?prefix=${prefix}`, process: undefined, stop: async () => undefined }
  requireRedis(context)
  return startServer(prefix)
}

async function startServer(prefix: string): Promise<TestRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'chat-cutover-redis-'))
  const port = await freePort()
  let child = await serve('redis-server', port, directory)
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  return {
    url: `redis://127.0.0.1:${port}?prefix=${prefix}`,
    process: {
      port,
      kill,
      async restart() {
        child = await serve('redis-server', port, directory)
      },
      hang: () => void child.kill('SIGSTOP'),
      resume: () => void child.kill('SIGCONT'),
    },
    async stop() {
      await kill()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** @param more arguments, or lines of a configuration file for a Sentinel */
export async function serve(
  command: string,
  port: number,
  directory: string,
  more: readonly string[] = ['--save', '', '--appendonly', 'no'],
): Promise<ChildProcess> {
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--daemonize', 'no']
  const child = owned(spawn(command, [...more, ...options], { stdio: 'ignore' }))
  await until(`${command} on port ${port}`, () => redisAnswers(port))
  return child
}

export function redisAnswers(port: number, address = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address)
    socket.setTimeout(500, () => socket.destroy())
    socket.on('connect', () => socket.write('PING\r\n'))
    socket.on('data', (data) => {
      resolve(String(data).startsWith('+PONG'))
      socket.destroy()
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}
