import type { Clock, Timer } from '../../core/clock.js'
import {
  type KubernetesApi,
  type KubernetesObject,
  KubernetesRefused,
  type Resource,
} from './kubernetes-api.js'

/** ms to the next try, doubled after each that fails */
const PAUSE_MS = { least: 250, most: 10_000 } as const
/** ms: a watch that the server ends at once must not become a loop without a pause */
const LEAST_MS = 100
/** ms for which what a working watch told is taken without asking again: a watch may be silent because its way is broken */
const FRESH_MS = 10_000

/** An object as it was seen last; `object` is undefined where there was none. */
export interface Seen {
  readonly object: KubernetesObject | undefined
}

/** What is kept of the newest version: one that is older never follows, but where the cluster comes back from a backup. */
interface Known extends Seen {
  readonly version: bigint | undefined
  /** ms, monotonic: when the server was asked last */
  readonly askedAt: number
}

/**
 * One object under watch: listed, then watched from that version; bookmarks move the version on, and 410 (the version is too
 * old) lists again. Reads cost nothing while the watch works, so a thousand replicas do not ask the server all the time.
 */
export class ObjectWatch {
  #known: Known | undefined
  #isWatching = false
  #running: Promise<void> | undefined
  #attempt: AbortController | undefined
  #timer: Timer | undefined
  #wake: (() => void) | undefined
  #isClosed = false
  readonly #listeners = new Set<() => void>()

  constructor(
    private readonly api: KubernetesApi,
    private readonly resource: Resource,
    private readonly name: string,
    private readonly clock: Clock,
  ) {}

  /** As it is, or as the watch told it within the last seconds. @throws what the API does */
  async read(): Promise<Seen> {
    this.#start()
    const known = this.#known
    const isFresh = known !== undefined && this.clock.monotonic() - known.askedAt < FRESH_MS
    return this.#isWatching && isFresh ? known : this.ask()
  }

  /** Asks the server. A change that the watch had not told ends the watch: the next one lists. @throws what the API does */
  async ask(): Promise<Seen> {
    const before = this.#known?.version
    const object = await this.api.get(this.resource, this.name)
    this.#forgetVersionsBefore(versionOf(object), before)
    this.saw(object)
    return { object }
  }

  /** What another answer of the server said: a version that is older than the known one says nothing. */
  saw(object: KubernetesObject | undefined): void {
    const askedAt = this.clock.monotonic()
    const version = versionOf(object)
    const known = this.#known
    if (known?.version !== undefined && version !== undefined && version <= known.version) {
      this.#known = { ...known, askedAt }
      return
    }
    this.#known = { object, version: version ?? known?.version, askedAt }
    const isNews = known === undefined || object !== undefined || known.object !== undefined
    if (isNews) for (const listener of this.#listeners) listener()
  }

  /**
   * The server answers with the newest version. One that is older than what was known before the question means that the versions went
   * back (etcd restored from a backup). The watch would then be silent until they are where they were: it ends, and the next one lists.
   */
  #forgetVersionsBefore(answered: bigint | undefined, before: bigint | undefined): void {
    const known = this.#known
    if (answered === undefined || before === undefined || answered >= before) return
    // Otherwise another answer has told it already.
    if (known?.version === undefined || known.version < before) return
    this.#known = { ...known, version: undefined }
    this.#attempt?.abort(new Error('the versions of the cluster went back'))
  }

  watch(onChange: () => void): () => void {
    this.#listeners.add(onChange)
    this.#start()
    return () => this.#listeners.delete(onChange)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#listeners.clear()
    this.#timer?.cancel()
    this.#wake?.()
    this.#attempt?.abort(new Error('closed'))
    await this.#running
  }

  #start(): void {
    if (!this.#isClosed) this.#running ??= this.#run()
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    let pauseMs: number = PAUSE_MS.least
    while (!this.#isClosed) {
      try {
        await this.#follow(() => {
          pauseMs = PAUSE_MS.least
        })
      } catch (thrown) {
        this.#isWatching = false
        const isTooOld = thrown instanceof KubernetesRefused && thrown.status === 410
        await this.#pause(isTooOld ? LEAST_MS : pauseMs)
        if (!isTooOld) pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most)
      }
    }
    this.#isWatching = false
  }

  /** Lists, and then watches until a watch fails, or the end; one that ends well is gone on with from its last version. */
  async #follow(onGood: () => void): Promise<void> {
    const before = this.#known?.version
    const { object, resourceVersion } = await this.api.list(this.resource, this.name)
    let version = resourceVersion
    this.#forgetVersionsBefore(numberOf(resourceVersion), before)
    this.saw(object)
    onGood()
    this.#isWatching = true
    while (!this.#isClosed) {
      this.#attempt = new AbortController()
      await this.api.watch(
        this.resource,
        this.name,
        version,
        this.#attempt.signal,
        ({ type, object: seen }) => {
          version = seen.metadata.resourceVersion
          if (type === 'DELETED') this.#sawDeletion(seen)
          else if (type !== 'BOOKMARK') this.saw(seen)
        },
      )
      await this.#pause(LEAST_MS)
    }
  }

  #sawDeletion(last: KubernetesObject): void {
    const version = versionOf(last)
    const known = this.#known
    if (known?.version !== undefined && version !== undefined && version < known.version) return
    this.#known = { object: undefined, version, askedAt: this.clock.monotonic() }
    for (const listener of this.#listeners) listener()
  }

  #pause(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#timer = this.clock.schedule(ms, resolve)
    })
  }
}

const versionOf = (object: KubernetesObject | undefined): bigint | undefined =>
  numberOf(object?.metadata.resourceVersion)

/** Versions of one kind are numbers that grow; where they were not, each would count as new. */
const numberOf = (version: string | undefined): bigint | undefined =>
  version !== undefined && /^\d+$/.test(version) ? BigInt(version) : undefined
