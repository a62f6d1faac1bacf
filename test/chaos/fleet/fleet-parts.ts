import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makePostgresServer, type PostgresServer } from '../../support/postgres-server.js'
import { bearer, type RunningProcess, startProcess, TEST_SECRET } from '../../support/processes.js'
import { FlagDaemon, SimulatedService } from '../actors.js'
import { DRILL, DRILL_LIMITS } from '../guardrails.js'
import { Human } from '../human.js'
import { Network, type Node } from './network.js'
import { RedisNode } from './redis-node.js'

export interface FleetOptions {
  readonly perSecond: number
  /** no turn before `startTraffic` */
  readonly startsQuiet?: true
  /** flags of the turns by a flagd, which gets them from the replicas */
  readonly flagd?: true
  /** ms that the wall clock of a replica is off */
  readonly clocks?: Readonly<Record<string, number>>
  readonly guardrails?: object
  /** where PostgreSQL or Redis keeps its files; a folder of the stage's own by default */
  readonly postgresFolder?: string
  readonly redisFolder?: string
  /** of every replica, beside what the stage itself sets */
  readonly environment?: Readonly<Record<string, string>>
}

export const REPLICAS = ['a', 'b', 'c'] as const
const NODES = [...REPLICAS, 'postgres', 'redis', 'runtime', 'llm', 'flagd'] as const
const POSTGRES_PORT = 5432
const REPLICA_PORT = '3001'
const SOURCE_PORT = '9090'
/** Answers take so long that readers can move in the middle of one. */
const PACE = { firstContentDelayMs: 30, gapMs: 50 } as const
/** Everything around the replicas of one stage. */
export interface Parts {
  readonly options: FleetOptions
  readonly folder: string
  readonly opsFile: string
  readonly network: Network
  readonly postgres: PostgresServer
  readonly redis: RedisNode
  readonly runtime: SimulatedService
  readonly llm: SimulatedService
  readonly flagd: FlagDaemon | undefined
  /** what gives flagd its flags */
  readonly feed: RunningProcess | undefined
  readonly admin: string
  /** Ends and removes all of them, whatever of it fails. @throws what failed first */
  close(): Promise<void>
}

/** Where one part does not start, none is left. @throws EngineMissing, or what `ip` says */
export async function startParts(options: FleetOptions): Promise<Parts> {
  const folder = mkdtempSync(join(tmpdir(), 'chat-cutover-fleet-'))
  const ends: (() => Promise<unknown>)[] = []
  let network: Network | undefined
  const close = async (): Promise<void> => {
    const ended = await Promise.allSettled(ends.map((end) => end()))
    network?.close()
    rmSync(folder, { recursive: true, force: true })
    for (const one of ended) if (one.status === 'rejected') throw one.reason
  }
  const kept = <T>(starting: Promise<T>, end: (part: T) => Promise<unknown>): Promise<T> => {
    ends.push(() => starting.then(end, () => undefined))
    return starting
  }
  try {
    const opsFile = join(folder, 'chat.flagd.json')
    copyFileSync('flags/chat.flagd.json', opsFile)
    new Human(opsFile).prepare({ ...DRILL, ...options.guardrails }, DRILL_LIMITS)
    const told = join(folder, 'told.flagd.json')
    writeFileSync(told, '{"flags":{}}')
    const redisFolder = options.redisFolder ?? join(folder, 'redis')
    mkdirSync(redisFolder, { recursive: true })
    network = Network.open(NODES)
    const nodes = network
    const at = (name: (typeof NODES)[number]): Node => nodes.node(name)
    const hasFlagd = options.flagd === true
    const [postgres, redis, runtime, llm, flagd, feed, admin] = await Promise.all([
      kept(startPostgres(at('postgres'), options.postgresFolder), (one) => one.remove()),
      kept(RedisNode.start(at('redis'), redisFolder), (one) => one.kill()),
      kept(SimulatedService.start('runtime', PACE, at('runtime')), (one) => one.close()),
      kept(SimulatedService.start('llm', PACE, at('llm')), (one) => one.close()),
      hasFlagd ? kept(FlagDaemon.start([told], at('flagd')), (one) => one.close()) : undefined,
      hasFlagd ? kept(startFeed(told, nodes), (one) => one.end('SIGKILL')) : undefined,
      bearer({ role: 'admin', user: 'operator', expires: '30d' }),
    ])
    return { options, folder, opsFile, network, postgres, redis, runtime, llm, flagd, feed, admin, close }
  } catch (thrown) {
    await close().catch(() => undefined)
    throw thrown
  }
}

/** In flagd's namespace, as a part of it. */
function startFeed(told: string, network: Network): Promise<RunningProcess> {
  const sources = REPLICAS.map((name) => `${network.node(name).address}:${SOURCE_PORT}`)
  const command = ['--import', 'tsx', 'test/chaos/fleet/flag-feed.ts', told, ...sources]
  return startProcess(command, {}, process.cwd(), network.node('flagd').through)
}

async function startPostgres({ address, through }: Node, folder?: string): Promise<PostgresServer> {
  const server = await makePostgresServer({
    host: address,
    port: POSTGRES_PORT,
    through,
    ...(folder === undefined ? {} : { folder }),
  })
  try {
    await server.start()
  } catch (thrown) {
    await server.remove()
    throw thrown
  }
  return server
}

/** Of one replica. */
export function environmentOf(parts: Parts, { name, address }: Node): Record<string, string> {
  const { options, folder, opsFile, network, postgres, redis, runtime, llm, flagd } = parts
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
    ...(flagd === undefined
      ? {}
      : {
          FLAGD_RESOLVER: 'in-process',
          FLAGD_HOST: network.node('flagd').address,
          FLAGD_PORT: String(flagd.port),
          CHAT_FLAG_SOURCE_PORT: SOURCE_PORT,
        }),
    ...options.environment,
  }
}

/** Of every clock of a drill it is still valid. */
export const lasting: typeof bearer = (claims) => bearer({ ...claims, expires: '30d' })
