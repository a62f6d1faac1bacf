import { z } from 'zod'
import type { TransitionView } from '../../../src/protocol/fallback.js'
import type { Override } from '../../../src/store/override/override.js'
import type { PostgresServer } from '../../support/postgres-server.js'
import type { FlagDaemon, SimulatedService } from '../actors.js'
import type { Sight } from '../override-watch.js'
import { Replica } from '../replica.js'
import type { Scene } from '../row.js'
import { beginOrClose, disagreement, firstAnswers, named, sightOf } from '../scene-waits.js'
import { Traffic } from '../traffic.js'
import { waitFor } from '../wait-for.js'
import { environmentOf, type FleetOptions, lasting, type Parts, REPLICAS, startParts } from './fleet-parts.js'
import { MovingReaders } from './moving-readers.js'
import type { Cut } from './network.js'
import { Operators } from './operators.js'
import type { RedisNode } from './redis-node.js'
import { StoreWatch } from './store-watch.js'

const SHIFT_CLOCK = ['--import', './test/chaos/shift-clock.mjs'] as const
/** between two looks at the status of all replicas */
const STATUS_LOOK_MS = 100
const CALL_MS = 5000
/** ms for what waited in memory to be written, once all is back */
const HISTORY_MS = 20_000

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
    this.traffic = new Traffic({ perSecond: options.perSecond, bearer: lasting })
    this.watch = new StoreWatch(postgres.url())
    this.replicas = REPLICAS.map(
      (name) =>
        new Replica(name, environmentOf(parts, network.node(name)), admin, network.node(name).through),
    )
    this.operators = new Operators(this.replicas, admin)
    this.moving = new MovingReaders(() => this.#targets(), lasting)
  }

  /** Ends when every replica is well and the runtime answers. @throws EngineMissing, or what `ip` says */
  static async open(options: FleetOptions): Promise<FleetStage> {
    const stage = new FleetStage(await startParts(options))
    return beginOrClose(stage, () => stage.#begin())
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

  get flagd(): FlagDaemon {
    if (this.parts.flagd === undefined) throw new Error('this stage has no flagd')
    return this.parts.flagd
  }

  /** SIGKILL, with what it is answering. */
  async killReplica(name: string): Promise<void> {
    this.#leave(name)
    await this.replica(name).kill()
  }

  /** As a rolling restart does: nothing is sent to it any more, it ends what it has begun, and starts again. */
  async rollReplica(name: string): Promise<void> {
    this.#leave(name)
    const code = await this.replica(name).stop()
    if (code !== 0) throw new Error(`${name} ended with ${code}`)
    await this.restartReplica(name)
  }

  async restartReplica(name: string): Promise<void> {
    const replica = this.replica(name)
    await this.#start(replica)
    this.traffic.rejoin({ replica: name, url: replica.url })
    this.moving.rejoin(name)
  }

  async startTraffic(): Promise<void> {
    await this.traffic.start(this.#targets())
    await this.moving.start()
    this.operators.start()
  }

  replica(name: string): Replica {
    return named(this.replicas, name)
  }

  cut(from: string, to: string, how: Cut): void {
    this.parts.network.cut(from, to, how)
  }

  heal(): void {
    this.parts.network.heal()
  }

  /** The first content of the override in the store since then (ms, `performance.now()`) that says so. */
  storeSays(what: string, since: number, holds: (override: Override) => boolean): Promise<Sight> {
    return sightOf(what, this.watch, since, holds)
  }

  storeIs(state: Override['auto']['state'], since: number): Promise<Sight> {
    return this.storeSays(state, since, ({ auto }) => auto.state === state)
  }

  /** Waits until a gauge of a replica has this value; gives the ms it took. */
  gaugeIs(name: string, gauge: string, value: 0 | 1): Promise<number> {
    const { url } = this.replica(name)
    const missing = async (): Promise<string> => {
      const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(CALL_MS) })).text()
      const found = new RegExp(`^${gauge} (\\d)$`, 'm').exec(text)?.[1]
      return found === String(value) ? '' : `${gauge} of ${name} is ${found}`
    }
    return waitFor(`${gauge} of ${name} to be ${value}`, missing, undefined, STATUS_LOOK_MS)
  }

  /** When the first turn on a replica began that was decided for the direct LLM, of those after `since` (ms, `performance.now()`). */
  async nextTurnOf(name: string, since: number): Promise<number> {
    const first = (): number =>
      Math.min(
        ...this.traffic.ended
          .filter((turn) => turn.replica === name && turn.startedAt > since && turn.decided === 'direct_llm')
          .map(({ startedAt }) => startedAt),
      )
    await waitFor(`a turn of ${name} on the direct LLM`, () => (Number.isFinite(first()) ? '' : 'none'))
    return first()
  }

  /** Waits until every answer that users got whole is in the history. @throws what is missing, or there twice */
  async historyKept(): Promise<number> {
    const messages = [
      ...this.traffic.ended.filter(({ kind }) => kind === 'ok'),
      ...this.moving.ended.filter(({ kind }) => kind !== 'broken'),
    ].map(({ message }) => message)
    await waitFor(
      'all answers to be in the history',
      async () => {
        const times = await this.watch.timesKept(messages)
        const twice = messages.filter((message) => (times.get(message) ?? 0) > 1)
        if (twice.length > 0) throw new Error(`${twice.length} turns are twice in the history`)
        const missing = messages.filter((message) => !times.has(message))
        return missing.length === 0 ? '' : `${missing.length} of ${messages.length} are not: ${missing[0]}`
      },
      HISTORY_MS,
    )
    return messages.length
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
    await waitFor(
      'everything to be back to normal',
      () => disagreement(this.watch.last, this.replicas),
      patienceMs,
      STATUS_LOOK_MS,
    )
  }

  async close(): Promise<void> {
    try {
      await Promise.all([this.traffic.stop(), this.moving.stop(), this.operators.stop()])
      await this.watch.stop()
      await Promise.all(this.replicas.map((replica) => replica.kill()))
    } finally {
      await this.parts.close()
    }
  }

  async #begin(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => this.#start(replica)))
    this.watch.start()
    await this.backToNormal()
    if (this.parts.options.startsQuiet === true) return
    await this.startTraffic()
    await firstAnswers(this.traffic)
  }

  async #start(replica: Replica): Promise<void> {
    const offMs = this.parts.options.clocks?.[replica.name]
    if (offMs === undefined) await replica.start()
    else await replica.start(SHIFT_CLOCK, { CHAOS_CLOCK_MS: String(offMs), CHAOS_CLOCK_OFF: '1' })
  }

  #leave(name: string): void {
    this.traffic.leave(name)
    this.moving.leave(name)
  }

  #targets(): { readonly replica: string; readonly url: string }[] {
    return this.replicas.filter(({ isRunning }) => isRunning).map(({ name, url }) => ({ replica: name, url }))
  }
}

const requestsSchema = z.array(
  z.object({ path: z.string(), shadow: z.string().optional(), sessionId: z.string().optional() }),
)
