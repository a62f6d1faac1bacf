import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { redisAnswers } from '../../support/redis.js'
import { waitFor } from '../wait-for.js'
import type { Node } from './network.js'

const START_MS = 10_000

/** A Redis server on a node, with an append file in a folder; it can be killed, stopped and started again. */
export class RedisNode {
  #child: ChildProcess | undefined

  private constructor(
    private readonly node: Pick<Node, 'address' | 'through'>,
    private readonly folder: string,
    private readonly port: number,
  ) {}

  /** `""`, or why there is none. */
  static refused(): string {
    return spawnSync('redis-server', ['--version']).status === 0 ? '' : 'no redis-server on the PATH'
  }

  static async start(
    node: Pick<Node, 'address' | 'through'>,
    folder: string,
    port = 6379,
  ): Promise<RedisNode> {
    const redis = new RedisNode(node, folder, port)
    try {
      await redis.start()
    } catch (thrown) {
      await redis.kill()
      throw thrown
    }
    return redis
  }

  get url(): string {
    return `redis://${this.node.address}:${this.port}`
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  async start(): Promise<void> {
    const { address, through } = this.node
    const [command = '', ...rest] = [
      ...through,
      'redis-server',
      '--port',
      String(this.port),
      '--bind',
      address,
    ]
    const kept = ['--dir', this.folder, '--save', '', '--appendonly', 'yes', '--protected-mode', 'no']
    const child = spawn(command, [...rest, ...kept], { stdio: 'ignore' })
    this.#child = child
    const end = (): void => void child.kill('SIGKILL')
    process.once('exit', end)
    child.once('exit', () => process.off('exit', end))
    await waitFor(
      'Redis to answer',
      async () => ((await redisAnswers(this.port, address)) ? '' : 'no answer'),
      START_MS,
    )
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  hang(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }
}
