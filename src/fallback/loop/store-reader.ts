import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import { scheduleDeadline } from '../../core/deadline.js'
import { errorText } from '../../core/errors.js'
import type { FlagStore, Stored } from '../../store/flag-store.js'
import { type ParsedOverride, parseOverride } from '../../store/override/override-document.js'
import type { LeaseSeen, StoreSeen } from '../machine/state.js'
import { parseLease } from './lease-file.js'

/** Both files as the machine takes them, with the override's text for the next rendering. */
export interface StoreView {
  readonly override: StoreSeen
  readonly lease: LeaseSeen
  readonly text?: string
}

/** ms: a breach must not wait for a file system that hangs */
const READ_MS = 250

const FAULT = {
  code: 'timeout',
  message: `the override file was not read within ${READ_MS} ms; is its file system hanging?`,
} as const
const LATE: StoreView = {
  override: { kind: 'failed', fault: FAULT, isLate: true },
  lease: { kind: 'failed' },
}
/** The read before is still under way: a write would hang as well, and the loop with it. */
const HANGING: StoreView = { override: { kind: 'failed', fault: FAULT }, lease: { kind: 'failed' } }

const broken = (thrown: unknown): StoreView => ({
  override: {
    kind: 'failed',
    fault: {
      code: 'internal',
      message: `the override file was not read, by a fault of this service: ${errorText(thrown)}`,
    },
  },
  lease: { kind: 'failed' },
})

/** Reads the store, one read at a time and each bounded. An override is parsed once for each content. */
export class FlagStoreReader {
  #parsed: { readonly hash: string; readonly value: ParsedOverride } | undefined
  #reading: Promise<StoreView> | undefined

  constructor(
    private readonly store: FlagStore,
    private readonly clock: Clock,
  ) {}

  /** Never rejects. What comes too late is a read of another round. */
  read(): Promise<StoreView> {
    const isHanging = this.#reading !== undefined
    // In a promise of its own: what the store or the parser throws is one failed read, not the end of the process.
    this.#reading ??= (async () => this.#readBoth())()
      .catch(broken)
      .finally(() => {
        this.#reading = undefined
      })
    return isHanging ? Promise.resolve(HANGING) : this.#inTime(this.#reading)
  }

  /** What a write that lost its race found there, read under the lock; the lease stays as it was seen. */
  found(stored: Stored): StoreView {
    return {
      override: this.#seen(stored),
      lease: { kind: 'failed' },
      ...(stored.kind === 'text' ? { text: stored.text } : {}),
    }
  }

  #inTime(reading: Promise<StoreView>): Promise<StoreView> {
    const inTime = bounded(reading, READ_MS, this.clock, scheduleDeadline)
    return inTime.then((view) => (view === 'late' ? LATE : view))
  }

  async #readBoth(): Promise<StoreView> {
    // One after the other: on a file system that hangs they hold one of Node's few threads, not two.
    const stored = await this.store.read()
    const lease = await this.store.readLease()
    return {
      override: this.#seen(stored),
      lease: parseLease(lease),
      ...(stored.kind === 'text' ? { text: stored.text } : {}),
    }
  }

  #seen(stored: Stored): StoreSeen {
    if (stored.kind !== 'text') return stored
    const { hash, text } = stored
    if (this.#parsed?.hash !== hash) this.#parsed = { hash, value: parseOverride(text) }
    const { value } = this.#parsed
    switch (value.kind) {
      case 'override':
        return { kind: 'override', hash, override: value.override }
      case 'hand_edit':
        return {
          kind: 'hand_edit',
          hash,
          edit: value.edit,
          ...(value.revision === undefined ? {} : { revision: value.revision }),
          ...(value.override === undefined ? {} : { override: value.override }),
        }
      case 'unparsable':
        return { kind: 'unparsable', hash, detail: value.detail }
    }
  }
}
