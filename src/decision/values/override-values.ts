import type { EvaluationDetails } from '@openfeature/server-sdk'
import type { OverrideValue } from '../decide.js'

/** The override that is not there: nobody knows of one. */
export const OVERRIDE_OFF: OverrideValue = { on: false }

/** values remembered; turns meet both sides of the present revision and, around a write, of the one before */
const RECENT = 8

/** One object for each side and revision, so that equal decisions are identical and a turn makes none. */
export class OverrideValues {
  readonly #recent: OverrideValue[] = [OVERRIDE_OFF]
  #oldest = 1

  readonly #guesses = new WeakMap<OverrideValue, OverrideValue>()

  /** What others got, for a caller of whom nothing is known. */
  guess(value: OverrideValue): OverrideValue {
    if (value.isGuess) return value
    const known = this.#guesses.get(value)
    if (known !== undefined) return known
    const guess = { ...value, isGuess: true } as const
    this.#guesses.set(value, guess)
    return guess
  }

  /** `on` as the provider's answer carries it, with the revision of that very answer. */
  of(on: boolean, details: EvaluationDetails<boolean>): OverrideValue {
    const revision = revisionOf(details)
    for (const value of this.#recent) if (value.on === on && value.revision === revision) return value
    const value = revision === undefined ? { on } : { on, revision }
    this.#recent[this.#oldest] = value
    this.#oldest = (this.#oldest + 1) % RECENT
    return value
  }
}

/** Of the flag's metadata, where there is the flag. Numbers arrive as such by each resolver; people write anything. */
export function revisionOf({ errorCode, flagMetadata }: EvaluationDetails<boolean>): number | undefined {
  if (errorCode !== undefined) return undefined
  const { revision } = flagMetadata
  return typeof revision === 'number' && Number.isSafeInteger(revision) ? revision : undefined
}
