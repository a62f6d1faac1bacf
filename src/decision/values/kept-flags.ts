import type { FlagdCore } from '@openfeature/flagd-core'
import type { EvaluationDetails, JsonValue, ResolutionDetails } from '@openfeature/server-sdk'
import type { Clock, Timer } from '../../core/clock.js'
import { parsedJson } from '../../core/json/parsed-json.js'
import type { KeptTexts } from '../../core/sqlite/kept-texts.js'
import { type Caller, evaluationContext, NOBODY } from '../caller.js'
import { loadFlags } from '../check/flag-source.js'
import { checkFlagDocument, isRefusing } from '../check/ops-file-check.js'
import { flagCoreOf } from '../flag-core.js'
import type { FaultFound } from '../flag-faults.js'
import { FLAG_KEYS, FLAGS_OF_FILE, type FlagsOrigin } from '../flags.js'
import { silentSdkLogger } from '../sdk-logger.js'

/** name of the kept text */
const NAME = 'ops-flags'
/** characters; a larger file is not kept */
const MAX_CHARACTERS = 1_000_000
/** ms between two tries to read from a database that does not answer */
const RETRY_MS = 250

/**
 * The operators' flags as they were good last, from the database: in effect where a start finds their source broken or away.
 * A session's, an org's and anybody's values of this process go before them.
 */
export class KeptFlags {
  #core: FlagdCore | undefined
  #keys: ReadonlySet<string> = new Set()
  #at: number | undefined
  #isRead = false
  #isClosed = false
  #retry: Timer | undefined
  #kept: string | undefined

  /** `texts` absent: nothing is kept */
  constructor(
    private readonly texts: KeptTexts | undefined,
    private readonly clock: Clock,
  ) {
    this.#isRead = texts === undefined
  }

  /** Ends when the database has answered, or at the close. Never rejects. */
  async load(): Promise<void> {
    while (!this.#isRead && !this.#isClosed && this.texts !== undefined)
      try {
        const kept = await this.texts.read(NAME)
        if (kept !== undefined) this.#take(kept.text, kept.at)
        this.#isRead = true
      } catch {
        await new Promise<void>((resolve) => {
          this.#retry = this.clock.schedule(RETRY_MS, resolve)
        })
      }
  }

  /** Where the flags in effect come from; `isSourceKnown`: their own source was read. */
  origin(isSourceKnown: boolean): FlagsOrigin {
    if (isSourceKnown) return 'source'
    if (!this.#isRead) return 'unread'
    return this.#core === undefined ? 'nothing' : 'kept'
  }

  /** While they are in effect: a fault that the status shows. */
  fault(where: string, isSourceKnown: boolean): FaultFound[] {
    if (this.origin(isSourceKnown) !== 'kept' || this.#at === undefined) return []
    const at = new Date(this.#at).toISOString()
    return [{ where, message: `nothing good was read since the start; the flags kept at ${at} are in force` }]
  }

  /** A whole and good content of the operators' flags. */
  keep(text: string): void {
    if (text === this.#kept || text.length > MAX_CHARACTERS) return
    this.#kept = text
    this.texts?.keep(NAME, text)
  }

  /** ... of a configuration that holds other flags as well; without any of theirs nothing is kept. */
  keepAmong(configuration: string): void {
    const text = opsFlagsOf(configuration)
    if (text !== undefined && isGood(text)) this.keep(text)
  }

  close(): void {
    this.#isClosed = true
    this.#retry?.cancel()
  }

  mode = (caller: Caller) => this.#string(FLAG_KEYS.mode, caller)

  shadow = (caller: Caller) =>
    this.#details(FLAG_KEYS.shadow, false, (core) =>
      core.resolveBooleanEvaluation(FLAG_KEYS.shadow, false, evaluationContext(caller), silentSdkLogger),
    )

  guardrails = (caller: Caller) => this.#object(FLAG_KEYS.guardrails, caller)

  profile = (caller: Caller) => this.#object(FLAG_KEYS.profile, caller)

  route = (caller: Caller) => this.#object(FLAG_KEYS.route, caller)

  limits = (caller: Caller) => this.#object(FLAG_KEYS.limits, caller)

  policy = () => this.#string(FLAG_KEYS.policy, NOBODY)

  #string(key: string, caller: Caller): EvaluationDetails<string> | undefined {
    return this.#details(key, '', (core) =>
      core.resolveStringEvaluation(key, '', evaluationContext(caller), silentSdkLogger),
    )
  }

  #object(key: string, caller: Caller): EvaluationDetails<JsonValue> | undefined {
    return this.#details<JsonValue>(key, {}, (core) =>
      core.resolveObjectEvaluation<JsonValue>(key, {}, evaluationContext(caller), silentSdkLogger),
    )
  }

  #details<T extends JsonValue>(
    key: string,
    fallback: T,
    resolve: (core: FlagdCore) => ResolutionDetails<T>,
  ): EvaluationDetails<T> | undefined {
    if (this.#core === undefined) return undefined
    // A flag that was not there leaves the choice to the environment, and so does one without a variant.
    if (!this.#keys.has(key)) return { flagKey: key, flagMetadata: {}, value: fallback }
    try {
      return { flagKey: key, flagMetadata: {}, ...resolve(this.#core) }
    } catch {
      // flagd-core throws for a flag of another type: nothing was kept of it then.
      return undefined
    }
  }

  #take(text: string, at: number): void {
    const loaded = loadFlags({ kind: 'text', text }, 'ops', new Map())
    if (loaded.kind === 'refused') return
    this.#core = flagCoreOf(() => loaded.flags)
    this.#keys = new Set(loaded.flags.keys())
    this.#at = at
  }
}

/** One flag of it that is refused would be missing at the next start, though its last good value is in effect now. */
function isGood(text: string): boolean {
  return !checkFlagDocument(text, 'ops').some(isRefusing)
}

function opsFlagsOf(configuration: string): string | undefined {
  const document: unknown = parsedJson(configuration)
  const flags = isObject(document) ? document.flags : undefined
  if (!isObject(document) || !isObject(flags)) return undefined
  const ours = Object.entries(flags).filter(([key]) => FLAGS_OF_FILE.ops.has(key))
  if (ours.length === 0) return undefined
  const { $evaluators } = document
  return JSON.stringify({
    flags: Object.fromEntries(ours),
    ...(isObject($evaluators) ? { $evaluators } : {}),
  })
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
