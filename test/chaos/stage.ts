import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Override } from '../../src/store/override/override.js'
import { bearer, TEST_SECRET } from '../support/processes.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { FlagDaemon, SimulatedService } from './actors.js'
import { DRILL_LIMITS, PACE } from './guardrails.js'
import { Human } from './human.js'
import { KeyServer } from './key-server.js'
import { OverrideWatch, type Sight } from './override-watch.js'
import { Replica } from './replica.js'
import { beginOrClose, disagreement, firstAnswers, named, sightOf } from './scene-waits.js'
import { Traffic } from './traffic.js'
import { waitFor } from './wait-for.js'

export interface StageOptions {
  readonly replicas: 1 | 2 | 3
  /** turns a second over all replicas; 0: none */
  readonly perSecond: number
  /** of all turns, in tenths: those of `org-0`; by default each of ten orgs has as many */
  readonly mainOrgShare?: number
  /** ms a user waits for the first of the answer, and then leaves; absent: to the end */
  readonly leaveAfterMs?: number
  /** written into the operators' file; empty: as shipped */
  readonly guardrails: object
  /** written into the operators' file; those of a drill by default */
  readonly limits?: object
  readonly resolver?: 'file' | 'in-process' | 'rpc'
  /** where the flag files are; a folder of the stage's own by default */
  readonly flagsFolder?: string
  /** where the database is; a folder of the stage's own by default */
  readonly databaseFolder?: string
  /** the first replica reaches the runtime through a proxy that can be cut */
  readonly proxied?: boolean
  /** ms between two looks at the override's file */
  readonly lookEveryMs?: number
  /** tokens are signed by a key that the replicas fetch; else by a shared secret */
  readonly keyServer?: true
  /** of every replica, beside what the stage itself sets */
  readonly environment?: Readonly<Record<string, string>>
}

interface Parts {
  readonly options: StageOptions
  readonly folder: string
  readonly opsFile: string
  readonly overrideFile: string
  readonly database: string
  readonly llm: SimulatedService
  readonly runtime: SimulatedService
  readonly proxy: TcpProxy | undefined
  readonly flagd: FlagDaemon | undefined
  readonly keyServer: KeyServer | undefined
  readonly admin: string
}

const NAMES = ['a', 'b', 'c'] as const
const LOOK_MS = 5

/** Simulators, replicas, files, traffic and watch of one drill; `close` frees all of it. */
export class Stage {
  readonly replicas: Replica[] = []
  readonly traffic: Traffic
  readonly watch: OverrideWatch
  readonly human: Human

  private constructor(readonly parts: Parts) {
    this.traffic = new Traffic({ ...parts.options, bearer: parts.keyServer?.bearer ?? bearer })
    this.watch = new OverrideWatch(parts.overrideFile)
    this.human = new Human(parts.opsFile)
  }

  /** Ends when every replica is well and the runtime answers. */
  static async open(options: StageOptions): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'chat-cutover-chaos-'))
    const flagsFolder = options.flagsFolder ?? join(folder, 'flags')
    mkdirSync(flagsFolder, { recursive: true })
    const opsFile = join(flagsFolder, 'chat.flagd.json')
    const overrideFile = join(flagsFolder, 'auto-fallback.flagd.json')
    copyFileSync('flags/chat.flagd.json', opsFile)
    copyFileSync('flags/auto-fallback.flagd.json', overrideFile)
    new Human(opsFile).prepare(options.guardrails, options.limits ?? DRILL_LIMITS)
    const keyServer = options.keyServer === true ? await KeyServer.start() : undefined
    const [llm, runtime, admin] = await Promise.all([
      SimulatedService.start('llm', PACE),
      SimulatedService.start('runtime', PACE),
      (keyServer?.bearer ?? bearer)({ role: 'admin', user: 'operator', expires: '30d' }),
    ])
    const proxy =
      options.proxied === true ? await TcpProxy.start(Number(new URL(runtime.url).port)) : undefined
    const isFile = (options.resolver ?? 'file') === 'file'
    const flagd = isFile ? undefined : await FlagDaemon.start([opsFile, overrideFile])
    const database = join(options.databaseFolder ?? folder, 'chat.db')
    const processes = { llm, runtime, proxy, flagd, keyServer }
    const parts = { options, folder, opsFile, overrideFile, database, ...processes, admin }
    const stage = new Stage(parts)
    return beginOrClose(stage, () => stage.#begin())
  }

  get runtime(): SimulatedService {
    return this.parts.runtime
  }

  get proxy(): TcpProxy {
    if (this.parts.proxy === undefined) throw new Error('this stage has no proxy')
    return this.parts.proxy
  }

  get flagd(): FlagDaemon {
    if (this.parts.flagd === undefined) throw new Error('this stage has no flagd')
    return this.parts.flagd
  }

  get keyServer(): KeyServer {
    if (this.parts.keyServer === undefined) throw new Error('this stage has no key server')
    return this.parts.keyServer
  }

  get llm(): SimulatedService {
    return this.parts.llm
  }

  /** Both backends are dead until then (ms, `performance.now()`): turns that begin before may fail. */
  excusedUntil = 0

  replica(name: string | undefined): Replica {
    return named(this.replicas, name)
  }

  opsKept(): boolean {
    return this.human.isKept
  }

  /** SIGKILL, with what it is answering. */
  async killReplica(name: string): Promise<void> {
    this.traffic.leave(name)
    await this.replica(name).kill()
  }

  /** As a rolling restart does: nothing is sent to it any more, it ends what it has begun, and starts anew. */
  async rollReplica(name: string, extra: Record<string, string> = {}): Promise<void> {
    this.traffic.leave(name)
    const code = await this.replica(name).stop()
    if (code !== 0) throw new Error(`${name} ended with ${code}`)
    await this.restartReplica(name, extra)
  }

  async restartReplica(name: string, extra: Record<string, string> = {}): Promise<void> {
    const replica = this.replica(name)
    await replica.start([], extra)
    this.traffic.rejoin({ replica: name, url: replica.url })
  }

  /** The first content of the file since then (ms, `performance.now()`) that says so. */
  fileSays(what: string, since: number, holds: (override: Override) => boolean): Promise<Sight> {
    return sightOf(what, this.watch, since, holds, () => this.watch.look())
  }

  fileIs(state: Override['auto']['state'], since: number): Promise<Sight> {
    return this.fileSays(state, since, ({ auto }) => auto.state === state)
  }

  /** Every running replica and the file say the same, in `normal`, written and seen again; the runtime is well. */
  async backToNormal(patienceMs?: number): Promise<void> {
    await waitFor('everything to be back to normal', () => this.disagreement(), patienceMs)
  }

  /** What is not as in quiet times; `""` where all is. */
  disagreement(): Promise<string> {
    this.watch.look()
    return disagreement(this.watch.last, this.replicas)
  }

  async close(): Promise<void> {
    await this.traffic.stop()
    this.watch.stop()
    await Promise.all(this.replicas.map((replica) => replica.kill()))
    const { llm, runtime, proxy, flagd, keyServer, folder } = this.parts
    const around = [llm, runtime, proxy, flagd, keyServer]
    await Promise.all(around.map((part) => part?.close()))
    rmSync(folder, { recursive: true, force: true })
  }

  async #begin(): Promise<void> {
    const { options, admin } = this.parts
    this.watch.expect(this.watch.readNow())
    for (const [at, name] of NAMES.slice(0, options.replicas).entries())
      this.replicas.push(new Replica(name, this.#environment(name, at === 0), admin))
    await Promise.all(this.replicas.map((replica) => replica.start()))
    this.watch.start(options.lookEveryMs ?? LOOK_MS)
    await this.backToNormal()
    if (options.perSecond === 0) return
    await this.traffic.start(this.replicas.map(({ name, url }) => ({ replica: name, url })))
    await firstAnswers(this.traffic)
  }

  #environment(name: string, isFirst: boolean): Record<string, string> {
    const { options, opsFile, overrideFile, database, llm, runtime, proxy, flagd, keyServer } = this.parts
    return {
      CHAT_REPLICA: name,
      LLM_BASE_URL: `${llm.url}/v1`,
      RUNTIME_SERVICE_URL: isFirst && proxy !== undefined ? proxy.url : runtime.url,
      CHAT_EXECUTION_MODE: 'runtime_orchestrator',
      CHAT_FLAGS_FILE: opsFile,
      CHAT_FALLBACK_FLAGS_FILE: overrideFile,
      CHAT_DATABASE: database,
      CHAT_LAMEDUCK_MS: '0',
      CHAT_RECONNECT_GRACE_MS: '0',
      ...(keyServer === undefined ? { JWT_SECRET: TEST_SECRET } : { JWKS_URL: keyServer.url }),
      ...(flagd === undefined
        ? {}
        : {
            FLAGD_RESOLVER: options.resolver ?? 'file',
            FLAGD_HOST: '127.0.0.1',
            FLAGD_PORT: String(flagd.port),
          }),
      ...options.environment,
    }
  }
}
