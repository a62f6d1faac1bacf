import type { Clock } from '../core/clock.js'
import type { FlagFaults } from './flag-faults.js'

/** ms without a refusal after which a flag counts as mended even though no change of the flags was announced */
const QUIET_MS = 10_000

/**
 * Flags whose value was refused for some turn. One org's bad variant must not be told and mended by turns, so a fault is
 * mended by a good value only after the flags changed, or when nothing was refused for a while.
 */
export class RefusedFlags {
  readonly #refused = new Map<string, { generation: number; seenAt: number }>()
  #generation = 0

  constructor(
    private readonly faults: FlagFaults,
    private readonly clock: Clock,
  ) {}

  /** The flags changed: the next good value mends. */
  flagsChanged(): void {
    this.#generation += 1
  }

  refuse(key: string, message: string): void {
    const seenAt = this.clock.monotonic()
    const known = this.#refused.get(key)
    if (known?.generation !== this.#generation)
      this.faults.replace(`flag:${key}`, [
        { where: key, message: `${message}; the last good value stays in force, then the code default` },
      ])
    this.#refused.set(key, { generation: this.#generation, seenAt })
  }

  accept(key: string): void {
    if (this.#refused.size === 0) return
    const known = this.#refused.get(key)
    if (known === undefined) return
    if (known.generation === this.#generation && this.clock.monotonic() - known.seenAt < QUIET_MS) return
    this.#refused.delete(key)
    this.faults.replace(`flag:${key}`, [])
  }
}
