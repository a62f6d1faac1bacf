import type { FallbackGuardrails } from '../../../src/fallback/evidence/evidence.js'
import type { FallbackPolicy } from '../../../src/protocol/fallback.js'
import type { Scope } from '../../../src/protocol/fallback-scope.js'
import type { Expected, FlagStoreFault, Stored, WriteResult } from '../../../src/store/flag-store.js'
import { NEUTRAL } from '../../../src/store/override/override.js'
import { renderOverride } from '../../../src/store/override/override-document.js'
import { type Content, revisionOf, type View, viewOf } from './content.js'
import type { Random } from './random.js'
import type { Scheduler } from './scheduler.js'

/** How the runtime answers: `dead` refuses probes too, `broken` and `half` fail executions alone, `grey` a fifth of both. */
export type RuntimeCondition = 'well' | 'dead' | 'slow' | 'broken' | 'half' | 'grey'

/** How turns come: at the hosts' pace, an eighth of that, or in crowds. */
export type Pace = 'even' | 'light' | 'crowds'

export const READ_FAULT: FlagStoreFault = { code: 'EIO', message: 'cannot be read' }
export const LATE_FAULT: FlagStoreFault = { code: 'timeout', message: 'not read in time' }
export const WRITE_FAULT: FlagStoreFault = { code: 'EROFS', message: 'cannot be written' }

/** What the replicas share, as it truly is. */
export class World {
  guardrails: FallbackGuardrails
  policyAt = 0
  runtime: RuntimeCondition = 'well'
  directSick = false
  /** ... and refuses the key: nobody could use it */
  directUnusable = false
  /** the runtime fails for these alone; its probes stay good */
  sick: Scope | null = null
  /** of the reads of the store that come too late */
  lateShare = 0
  traffic = true
  pace: Pace = 'even'
  /** all faults are over, for good */
  isHealed = false
  /** true time of the last thing that may rightly end a fallback, or begin one anew */
  disturbedAt = 0
  /** older contents of ours, for a person to put back */
  readonly history: Content[] = []
  /** a person has written into the file */
  wasEdited = false
  /** ... or taken it away, since a machine wrote last */
  wasTouched = false
  override: Content | undefined
  lease: { readonly text: string; readonly hash: string } | undefined
  #view: View | undefined
  #highest = 0
  #policy: FallbackPolicy = 'auto'
  #hashes = new Map<string, string>()
  readonly #watchers = new Set<() => void>()

  constructor(
    readonly scheduler: Scheduler,
    readonly random: Random,
    guardrails: FallbackGuardrails,
  ) {
    this.guardrails = guardrails
    this.put(renderOverride(NEUTRAL), 'machine')
  }

  /** that was ever in the file */
  get highest(): number {
    return this.#highest
  }

  get policy(): FallbackPolicy {
    return this.#policy
  }

  set policy(policy: FallbackPolicy) {
    this.#policy = policy
    this.policyAt = this.now
  }

  get now(): number {
    return this.scheduler.now
  }

  /** The newest content that a provider takes: one that it refuses, or a file that is away, leaves what it had. */
  get view(): View | undefined {
    return this.#view
  }

  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  put(text: string, by: Content['author']): void {
    const revision = revisionOf(text) ?? 0
    // Who knew no better than what a person put back, or took away, carries that on: to the others it is the person's edit.
    const isCarried = this.override?.author !== 'machine' && revision <= this.#highest
    const author = by === 'machine' && isCarried ? 'person' : by
    if (by === 'person') {
      this.wasEdited = true
      this.wasTouched = true
    }
    this.#highest = Math.max(this.#highest, revision)
    this.override = { text, hash: this.hashOf(text), author }
    this.history.push(this.override)
    this.#view = viewOf(text) ?? this.#view
    for (const watcher of this.#watchers) watcher()
  }

  delete(): void {
    this.wasTouched = true
    this.wasEdited = true
    this.override = undefined
    for (const watcher of this.#watchers) watcher()
  }

  read(): Stored {
    return this.override === undefined
      ? { kind: 'missing' }
      : { kind: 'text', text: this.override.text, hash: this.override.hash }
  }

  /** Compare-and-set. */
  write(text: string, expected: Expected): WriteResult {
    if ((this.override?.hash ?? 'missing') !== expected) return { kind: 'conflict', stored: this.read() }
    this.put(text, 'machine')
    return { kind: 'written', hash: this.hashOf(text) }
  }

  readLease(): Stored {
    return this.lease === undefined ? { kind: 'missing' } : { kind: 'text', ...this.lease }
  }

  writeLease(text: string, expected: Expected): WriteResult {
    if ((this.lease?.hash ?? 'missing') !== expected) return { kind: 'conflict', stored: this.readLease() }
    this.lease = { text, hash: this.hashOf(text) }
    return { kind: 'written', hash: this.lease.hash }
  }

  hashOf(text: string): string {
    const known = this.#hashes.get(text)
    if (known !== undefined) return known
    const hash = `h${this.#hashes.size}`
    this.#hashes.set(text, hash)
    return hash
  }
}
