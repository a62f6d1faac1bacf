import type { Clock } from '../core/clock.js'
import {
  type IdempotencyKeys,
  KEY_LIFE_MS,
  type KeptKey,
  type KeyedTurn,
  type KeyOwner,
  keyId,
} from './idempotency-keys.js'

/** keys kept; the oldest go first */
const MAX_KEYS = 50_000

/** Keys of this process alone: for tests, without a database, and while it is away. */
export class MemoryKeys implements IdempotencyKeys {
  /** oldest first */
  readonly #kept = new Map<string, KeptKey>()

  constructor(
    private readonly clock: Pick<Clock, 'wall'>,
    private readonly maxKeys = MAX_KEYS,
  ) {}

  get size(): number {
    return this.#kept.size
  }

  async find(owner: KeyOwner, key: string): Promise<KeptKey | undefined> {
    return this.at(keyId(owner, key))
  }

  async reserve(owner: KeyOwner, key: string, turn: KeyedTurn): Promise<KeptKey | 'reserved'> {
    const id = keyId(owner, key)
    const found = this.at(id)
    if (found !== undefined) return found
    const { bodyHash, sessionId, messageId } = turn
    this.#kept.set(id, { bodyHash, sessionId, messageId, createdAt: this.clock.wall(), isOwn: true })
    if (this.#kept.size > this.maxKeys) {
      const oldest = this.#kept.keys().next()
      if (!oldest.done) this.#kept.delete(oldest.value)
    }
    return 'reserved'
  }

  async release(owner: KeyOwner, key: string, messageId: string): Promise<void> {
    const id = keyId(owner, key)
    if (this.#kept.get(id)?.messageId === messageId) this.#kept.delete(id)
  }

  at(id: string): KeptKey | undefined {
    for (const [old, { createdAt }] of this.#kept) {
      if (createdAt > this.clock.wall() - KEY_LIFE_MS) break
      this.#kept.delete(old)
    }
    return this.#kept.get(id)
  }

  async close(): Promise<void> {
    this.#kept.clear()
  }
}
