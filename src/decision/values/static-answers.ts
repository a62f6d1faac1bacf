import {
  type EvaluationContext,
  type EvaluationDetails,
  type JsonValue,
  StandardResolutionReasons,
} from '@openfeature/server-sdk'
import type { FlagReader } from './turn-flag-reader.js'

/**
 * A client of the SDK that is asked once for a flag without rules, until the flags change: everybody gets the same answer
 * (reason STATIC), and each question costs the SDK about 10 µs.
 */
export class StaticAnswers implements FlagReader {
  readonly #strings = new Map<string, Promise<EvaluationDetails<string>>>()
  readonly #booleans = new Map<string, Promise<EvaluationDetails<boolean>>>()
  readonly #objects = new Map<string, Promise<EvaluationDetails<JsonValue>>>()
  #version: number

  /** @param version another one after each change of the flags, or of what answers for them */
  constructor(
    private readonly client: FlagReader,
    private readonly version: () => number,
  ) {
    this.#version = version()
  }

  getStringDetails(key: string, fallback: string, context: EvaluationContext) {
    return this.#of(this.#strings, key, () => this.client.getStringDetails(key, fallback, context))
  }

  getBooleanDetails(key: string, fallback: boolean, context: EvaluationContext) {
    return this.#of(this.#booleans, key, () => this.client.getBooleanDetails(key, fallback, context))
  }

  getObjectDetails(key: string, fallback: JsonValue, context: EvaluationContext) {
    return this.#of(this.#objects, key, () => this.client.getObjectDetails(key, fallback, context))
  }

  #of<T extends JsonValue>(
    known: Map<string, Promise<EvaluationDetails<T>>>,
    key: string,
    ask: () => Promise<EvaluationDetails<T>>,
  ): Promise<EvaluationDetails<T>> {
    const version = this.version()
    if (version !== this.#version) {
      this.#version = version
      for (const answers of [this.#strings, this.#booleans, this.#objects]) answers.clear()
    }
    return known.get(key) ?? this.#ask(known, key, ask, version)
  }

  /** An answer is kept when it is there, not while it is awaited: until then the flag may get rules. */
  async #ask<T extends JsonValue>(
    known: Map<string, Promise<EvaluationDetails<T>>>,
    key: string,
    ask: () => Promise<EvaluationDetails<T>>,
    version: number,
  ): Promise<EvaluationDetails<T>> {
    const details = await ask()
    const isStatic = details.reason === StandardResolutionReasons.STATIC && details.errorCode === undefined
    // `#version` is older than the flags where nobody asked since their change.
    if (isStatic && version === this.version() && version === this.#version)
      known.set(key, Promise.resolve(details))
    return details
  }
}
