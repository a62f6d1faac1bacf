import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import { scheduleDeadline } from '../../core/deadline.js'
import { errorText } from '../../core/errors.js'
import { parseLease } from '../../fallback/loop/lease-file.js'
import type { LeaseSeen } from '../../fallback/machine/state.js'
import type { FlagStore, Stored } from '../../store/flag-store.js'
import { type ParsedRollout, parseRollout } from '../../store/rollout/rollout-document.js'
import type { RolloutSeen } from '../machine/state.js'

/** What the machine takes, with the file's text for the next rendering. */
export interface StoreView {
  readonly rollout: RolloutSeen
  readonly lease: LeaseSeen
  readonly text?: string
}

/** ms: a file system that hangs must not hold the loop */
const READ_MS = 250

const failed = (code: string, message: string): StoreView => ({
  rollout: { kind: 'failed', fault: { code, message } },
  lease: { kind: 'failed' },
})

/** Reads the store, one read at a time and each bounded. A text is parsed once. */
export class RolloutReader {
  #parsed: { readonly hash: string; readonly value: ParsedRollout } | undefined
  #reading: Promise<StoreView> | undefined

  constructor(
    private readonly store: FlagStore,
    private readonly clock: Clock,
  ) {}

  /** Never rejects. What comes too late is a read of another round. */
  async read(): Promise<StoreView> {
    const isHanging = this.#reading !== undefined
    this.#reading ??= this.#readBoth().finally(() => {
      this.#reading = undefined
    })
    const view = isHanging ? 'late' : await bounded(this.#reading, READ_MS, this.clock, scheduleDeadline)
    if (view !== 'late') return view
    const message = `the file of the rollout was not read within ${READ_MS} ms; is its file system hanging?`
    return failed('timeout', message)
  }

  /** What a write that lost its race found there; the lease stays as it was seen. */
  found(stored: Stored): StoreView {
    return {
      rollout: this.#seen(stored),
      lease: { kind: 'failed' },
      ...(stored.kind === 'text' ? { text: stored.text } : {}),
    }
  }

  async #readBoth(): Promise<StoreView> {
    try {
      const stored = await this.store.read()
      const lease = await this.store.readLease()
      return { ...this.found(stored), lease: parseLease(lease) }
    } catch (thrown) {
      return failed('internal', errorText(thrown))
    }
  }

  #seen(stored: Stored): RolloutSeen {
    if (stored.kind !== 'text') return stored
    const { hash, text } = stored
    if (this.#parsed?.hash !== hash) this.#parsed = { hash, value: parseRollout(text) }
    return { ...this.#parsed.value, hash }
  }
}
