import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import type { FlagFault } from './flags.js'

/** A fault as its finder knows it. */
export type FaultFound = Omit<FlagFault, 'since'>

/** faults kept for one source; a file with hundreds of errors is told by its first ones */
const MAX_FAULTS_PER_SOURCE = 20

/**
 * The faults in effect, by the source that found them. Each is logged once when it appears and once when it is fixed;
 * finding the same fault again says nothing.
 */
export class FlagFaults {
  readonly #bySource = new Map<string, readonly FlagFault[]>()

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** All that `source` finds now; faults it found before and not any more are fixed. */
  replace(source: string, found: readonly FaultFound[]): void {
    const before = this.#bySource.get(source) ?? []
    const since = new Date(this.clock.wall()).toISOString()
    const now = found
      .slice(0, MAX_FAULTS_PER_SOURCE)
      .map((fault) => before.find((known) => isSame(known, fault)) ?? { ...fault, since })
    if (now.length === 0) this.#bySource.delete(source)
    else this.#bySource.set(source, now)
    for (const fault of now)
      if (!before.includes(fault)) this.logger.warn(logged(fault), `[Flags] ${fault.message}`)
    for (const fault of before)
      if (!now.includes(fault)) this.logger.info(logged(fault), `[Flags] mended: ${fault.message}`)
  }

  has(source: string): boolean {
    return this.#bySource.has(source)
  }

  list(): FlagFault[] {
    return [...this.#bySource.values()].flat()
  }
}

function isSame(a: FaultFound, b: FaultFound): boolean {
  return a.where === b.where && a.line === b.line && a.message === b.message
}

function logged(fault: FlagFault): Record<string, string | number> {
  return fault.line === undefined ? { where: fault.where } : { where: fault.where, line: fault.line }
}
