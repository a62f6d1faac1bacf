import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { TransitionView } from '../../../src/protocol/fallback.js'
import type { Override } from '../../../src/store/override/override.js'
import { makePostgresServer, type PostgresServer } from '../../support/postgres-server.js'
import { bearer, TEST_SECRET } from '../../support/processes.js'
import { SimulatedService } from '../actors.js'
import { DRILL } from '../guardrails.js'
import { Human } from '../human.js'
import type { Sight } from '../override-watch.js'
import { Replica } from '../replica.js'
import type { Scene } from '../row.js'
import { describe, disagreementOf } from '../stage.js'
import { Traffic } from '../traffic.js'
import { waitFor } from '../wait-for.js'
import { MovingReaders } from './moving-readers.js'
import { type Cut, Network, type Node } from './network.js'
import { Operators } from './operators.js'
import { RedisNode } from './redis-node.js'
import { StoreWatch } from './store-watch.js'

export interface FleetOptions {
  readonly perSecond: number
  readonly guardrails?: object
  /** where PostgreSQL or Redis keeps its files; a folder of the stage's own by default */
  readonly postgresFolder?: string
  readonly redisFolder?: string
  /** of every replica, beside what the stage itself sets */
  readonly environment?: Readonly<Record<string, string>>
}

export const REPLICAS = ['a', 'b', 'c'] as const
const NODES = [...REPLICAS, 'postgres', 'redis', 'runtime', 'llm'] as const
export type Place = (typeof NODES)[number]
const POSTGRES_PORT = 5432
const REPLICA_PORT = '3001'
/** Answers take so long that readers can move in the middle of one. */
const PACE = { firstContentDelayMs: 30, gapMs: 50 } as const
/** Three replicas, engines and load share the processors of one machine: that it is busy is not what is shown. */
const LIMITS = { overloadDelayMs: 5000 } as const
/** between two looks at the status of all replicas */
const STATUS_LOOK_MS = 100
/** good answers before anything is broken */
const BASELINE_TURNS = 20

interface Parts {
  readonly options: FleetOptions
  readonly folder: string
  readonly opsFile: string
  readonly network: Network
  readonly postgres: PostgresServer
  readonly redis: RedisNode
  readonly runtime: SimulatedService
  readonly llm: SimulatedService
  readonly admin: string
}

/** Three replicas, their engines and backends, each in a network namespace of its own. */
export class FleetStage implements Scene {
  readonly replicas: readonly Replica[]
  readonly traffic: Traffic
  readonly watch: StoreWatch
  readonly operators: Operators
  readonly moving: MovingReaders
  readonly excusedUntil = 0

  private constructor(private readonly parts: Parts) {
    const { options, network, postgres, admin } = parts
    this.traffic = new Traffic({ perSecond: options.perSecond, bearer })
    this.watch = new StoreWatch(postgres.url())
    this.replicas = REPLICAS.map(
      (name) => new Replica(name, this.#environment(network.node(name)), admin, network.node(name).through),
    )
    this.operators = new Operators(this.replicas, admin)
    this.moving = new MovingReaders(() => this.#targets(), bearer)
  }

  /** Ends when every replica is well and the runtime answers. @throws EngineMissing, or what `ip` says */
  static async open(options: FleetOptions): Promise<FleetStage> {
    const folder = mkdtempSync(join(tmpdir(), 'chat-cutover-fleet-'))
    const opsFile = join(folder, 'chat.flagd.json')
    copyFileSync('flags/chat.flagd.json', opsFile)
    new Human(opsFile).prepare({ ...DRILL, ...options.guardrails }, LIMITS)
    const network = Network.open(NODES)
    const at = (name: Place): Node => network.node(name)
    const redisFolder = options.redisFolder ?? join(folder, 'redis')
    mkdirSync(redisFolder, { recursive: true })
    const [postgres, redis, runtime, llm, admin] = await Promise.all([
      startPostgres(at('postgres'), options.postgresFolder),
      RedisNode.start(at('redis'), redisFolder),
      SimulatedService.start('runtime', PACE, at('runtime')),
      SimulatedService.start('llm', PACE, at('llm')),
      bearer({ role: 'admin', user: 'operator', expires: '30d' }),
    ])
    const stage = new FleetStage({ options, folder, opsFile, network, postgres, redis, runtime, llm, admin })
    try {
      await stage.#begin()
    } catch (thrown) {
      await stage.close()
      throw thrown
    }
    return stage
  }

  get postgres(): PostgresServer {
    return this.parts.postgres
  }

  get redis(): RedisNode {
    return this.parts.redis
  }

  get runtime(): SimulatedService {
    return this.parts.runtime
  }

  replica(name: string): Replica {
    const found = this.replicas.find((replica) => replica.name === name)
    if (found === undefined) throw new Error(`no replica ${name}`)
    return found
  }

  cut(from: Place, to: Place, how: Cut): void {
    this.parts.network.cut(from, to, how)
  }

  heal(): void {
    this.parts.network.heal()
  }

  /** The first content of the override in the store since then (ms, `performance.now()`) that says so. */
  async storeSays(what: string, since: number, holds: (override: Override) => boolean): Promise<Sight> {
    let sight: Sight | undefined
    await waitFor(`the override to say ${what}`, () => {
      sight = this.watch.first(since, holds)
      return sight === undefined ? `it says ${describe(this.watch.last)}` : ''
    })
    if (sight === undefined) throw new Error(what)
    return sight
  }

  /** newest first, of all replicas */
  history(): Promise<TransitionView[]> {
    const replica = this.replicas.find(({ isRunning }) => isRunning)
    if (replica === undefined) throw new Error('no replica runs')
    return replica.operator.history()
  }

  /** Turns that the runtime got more than once, of its newest 1,000 requests. */
  async runTwice(): Promise<readonly string[]> {
    const answer = await fetch(`${this.runtime.url}/_requests`)
    const times = new Map<string, number>()
    for (const { path, shadow, sessionId } of requestsSchema.parse(await answer.json()))
      if (path.endsWith('/execute/stream') && shadow === undefined && sessionId !== undefined)
        times.set(sessionId, (times.get(sessionId) ?? 0) + 1)
    return [...times].filter(([, count]) => count > 1).map(([id]) => id)
  }

  async opsKept(): Promise<boolean> {
    await this.operators.stop()
    return (await this.operators.lost()).length === 0
  }

  async backToNormal(patienceMs?: number): Promise<void> {
    await waitFor('everything to be back to normal', () => this.#disagreement(), patienceMs, STATUS_LOOK_MS)
  }

  async close(): Promise<void> {
    await Promise.all([this.traffic.stop(), this.moving.stop(), this.operators.stop()])
    await this.watch.stop()
    await Promise.all(this.replicas.map((replica) => replica.kill()))
    const { postgres, redis, runtime, llm, network, folder } = this.parts
    await Promise.all([redis.kill(), runtime.close(), llm.close(), postgres.remove()])
    network.close()
    rmSync(folder, { recursive: true, force: true })
  }

  async #begin(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.start()))
    this.watch.start()
    await this.backToNormal()
    await this.traffic.start(this.#targets())
    await this.moving.start()
    this.operators.start()
    await waitFor('the first answers of the runtime', () => {
      const good = this.traffic.ended.filter(({ decided }) => decided === 'runtime_orchestrator').length
      return good >= BASELINE_TURNS ? '' : `${good} of ${BASELINE_TURNS}: ${this.traffic.ended[0]?.detail}`
    })
  }

  async #disagreement(): Promise<string> {
    const override = this.watch.last
    if (override === undefined || override.auto.state !== 'normal' || override.manual.scope !== 'none')
      return `the override says ${describe(override)}`
    const running = this.replicas.filter(({ isRunning }) => isRunning)
    const said = await Promise.all(running.map((replica) => disagreementOf(replica, override)))
    return said.filter((text) => text !== '').join('; ')
  }

  #targets(): { readonly replica: string; readonly url: string }[] {
    return this.replicas.filter(({ isRunning }) => isRunning).map(({ name, url }) => ({ replica: name, url }))
  }

  #environment({ name, address }: Node): Record<string, string> {
    const { options, folder, opsFile, postgres, redis, runtime, llm } = this.parts
    return {
      HOST: address,
      PORT: REPLICA_PORT,
      CHAT_REPLICA: name,
      JWT_SECRET: TEST_SECRET,
      LLM_BASE_URL: `${llm.url}/v1`,
      RUNTIME_SERVICE_URL: runtime.url,
      CHAT_EXECUTION_MODE: 'runtime_orchestrator',
      CHAT_DATABASE: postgres.url(),
      CHAT_REDIS_URL: redis.url,
      CHAT_FLAG_STORE: 'postgres:',
      CHAT_FLAG_STORE_OPS: 'true',
      // The first content of the store; afterwards nobody looks there.
      CHAT_FLAGS_FILE: opsFile,
      CHAT_FALLBACK_FLAGS_FILE: join(folder, 'nowhere', 'override.json'),
      CHAT_LAMEDUCK_MS: '0',
      ...options.environment,
    }
  }
}

const requestsSchema = z.array(
  z.object({ path: z.string(), shadow: z.string().optional(), sessionId: z.string().optional() }),
)

async function startPostgres({ address, through }: Node, folder?: string): Promise<PostgresServer> {
  const server = await makePostgresServer({
    host: address,
    port: POSTGRES_PORT,
    through,
    ...(folder === undefined ? {} : { folder }),
  })
  await server.start()
  return server
}
