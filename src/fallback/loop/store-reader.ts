import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import { scheduleDeadline } from '../../core/deadline.js'
import { errorText } from '../../core/errors.js'
import type { ContentHash, FlagStore, FlagStoreFault, Stored } from '../../store/flag-store.js'
import type { LeaseSeen } from '../machine/state.js'
import { parseLease } from './lease-file.js'

/** Both files as a machine takes them, with the flag's text for the next rendering. */
export interface StoreView<Parsed> {
  readonly flag: FlagSeen<Parsed>
  readonly lease: LeaseSeen
  readonly text?: string
}

/** `isLate`: this read took too long, and none before it is still under way. */
type FlagSeen<Parsed> =
  | (Parsed & { readonly hash: ContentHash })
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly fault: FlagStoreFault; readonly isLate?: true }

/** ms: a breach must not wait for a file system that hangs */
const READ_MS = 250

const FAULT = {
  code: 'timeout',
  message: `the override was not read within ${READ_MS} ms; does its file system hang, or the engine of CHAT_FLAG_STORE?`,
} as const
const LATE = { flag: { kind: 'failed', fault: FAULT, isLate: true }, lease: { kind: 'failed' } } as const
/** The read before is still under way: a write would hang as well, and the loop with it. */
const HANGING = { flag: { kind: 'failed', fault: FAULT }, lease: { kind: 'failed' } } as const

const broken = (thrown: unknown) =>
  ({
    flag: {
      kind: 'failed',
      fault: {
        code: 'internal',
        message: `the override file was not read, by a fault of this service: ${errorText(thrown)}`,
      },
    },
    lease: { kind: 'failed' },
  }) as const

/** Reads the store, one read at a time and each bounded. Its flag is parsed once for each content. */
export class FlagStoreReader<Parsed extends object> {
  #parsed: (Parsed & { readonly hash: ContentHash }) | undefined
  #reading: Promise<StoreView<Parsed>> | undefined

  constructor(
    private readonly store: FlagStore,
    private readonly clock: Clock,
    private readonly parse: (text: string) => Parsed,
  ) {}

  /** Never rejects. What comes too late is a read of another round. */
  read(): Promise<StoreView<Parsed>> {
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
  found(stored: Stored): StoreView<Parsed> {
    return {
      flag: this.#seen(stored),
      lease: { kind: 'failed' },
      ...(stored.kind === 'text' ? { text: stored.text } : {}),
    }
  }

  #inTime(reading: Promise<StoreView<Parsed>>): Promise<StoreView<Parsed>> {
    const inTime = bounded(reading, READ_MS, this.clock, scheduleDeadline)
    return inTime.then((view) => (view === 'late' ? LATE : view))
  }

  async #readBoth(): Promise<StoreView<Parsed>> {
    // One after the other: on a file system that hangs they hold one of Node's few threads, not two.
    const stored = await this.store.read()
    const lease = await this.store.readLease()
    return { ...this.found(stored), lease: parseLease(lease) }
  }

  #seen(stored: Stored): FlagSeen<Parsed> {
    if (stored.kind !== 'text') return stored
    const { hash, text } = stored
    if (this.#parsed?.hash !== hash) this.#parsed = { ...this.parse(text), hash }
    return this.#parsed
  }
}
