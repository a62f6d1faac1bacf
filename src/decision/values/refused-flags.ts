import type { Clock } from '../../core/clock.js'
import { closestName } from '../../core/closest-name.js'
import { chatLimitsSchema } from '../../limits/chat-limits.js'
import type { FlagFaults } from '../flag-faults.js'
import { guardrailsSchema } from '../guardrails.js'
import { llmRouteSchema } from '../llm-route.js'

/** ms without a finding after which a flag counts as fixed even though no change of the flags was announced */
const QUIET_MS = 10_000
/** unknown fields named in one message */
const NAMED = 10

/**
 * Flags whose value was refused for some turn, or had fields that nobody knows. One org's bad variant must not be told and
 * fixed by turns, so a fault is fixed by a good value only after the flags changed, or when nothing was found for a while.
 */
export class RefusedFlags {
  /** by the source of the fault */
  readonly #found = new Map<string, { generation: number; seenAt: number }>()
  #generation = 0

  constructor(
    private readonly faults: FlagFaults,
    private readonly clock: Clock,
  ) {}

  /** The flags changed: the next good value ends its fault. */
  flagsChanged(): void {
    this.#generation += 1
  }

  refuse(key: string, message: string): void {
    this.#tell(`flag:${key}`, key, `${message}; the last good value stays in force, then the code default`)
  }

  /** The value was taken over; `unknown` are the fields of it that were ignored. */
  accept(key: string, unknown: readonly string[] = []): void {
    if (unknown.length > 0) this.#tell(`unknown:${key}`, key, ignoredText(unknown))
    if (this.#found.size === 0) return
    this.#mend(`flag:${key}`)
    if (unknown.length === 0) this.#mend(`unknown:${key}`)
  }

  /** The value was taken over, but something of it says nothing here; undefined for nothing. */
  note(key: string, message: string | undefined): void {
    if (message !== undefined) this.#tell(`note:${key}`, key, message)
    else if (this.#found.size > 0) this.#mend(`note:${key}`)
  }

  #tell(source: string, where: string, message: string): void {
    if (this.#found.get(source)?.generation !== this.#generation)
      this.faults.replace(source, [{ where, message }])
    this.#found.set(source, { generation: this.#generation, seenAt: this.clock.monotonic() })
  }

  #mend(source: string): void {
    const known = this.#found.get(source)
    if (known === undefined) return
    if (known.generation === this.#generation && this.clock.monotonic() - known.seenAt < QUIET_MS) return
    this.#found.delete(source)
    this.faults.replace(source, [])
  }
}

/** All fields there are; those of `llm` have the names of others. */
const FIELD_NAMES = [guardrailsSchema, llmRouteSchema, chatLimitsSchema].flatMap(({ shape }) =>
  Object.keys(shape),
)

function likely(field: string): string {
  const meant = closestName(field.split('.').at(-1) ?? '', FIELD_NAMES)
  return meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)} instead of ${field}?`
}

function ignoredText(unknown: readonly string[]): string {
  const more = unknown.length > NAMED ? ` and ${unknown.length - NAMED} more` : ''
  const named = unknown.slice(0, NAMED)
  return `unknown fields are ignored (${named.join(', ')}${more}); they are misspelt or belong to another version of this service${named.map(likely).join('')}`
}
