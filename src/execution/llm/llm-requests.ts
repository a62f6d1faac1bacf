import type { LlmEndpoint } from '../../llm/endpoint.js'
import type { RefusedParameters } from '../../llm/refused-parameters.js'
import type { AnswerFacts, HistoryMessage, Turn } from '../backend.js'
import { ExecutionError } from '../execution-error.js'
import { newestFitting, shortened } from './fit-history.js'
import { type LlmBody, llmRequestBody, modelOf, roomForHistory, wireName } from './llm-request.js'

/** Without these the client would get another answer than it can use. Any other wish it goes without: reasoning models refuse many. */
const KEPT_WISHES: ReadonlySet<string> = new Set(['stop', 'response_format'])

/** Requests of one execution: every parameter we send may be refused once, and the prompt be too long. */
const MAX_REQUESTS = 6

/**
 * The requests of one execution at one endpoint: what each asks, and whether another one may help. A server that refuses a
 * parameter is asked without it, one for which the prompt is too long with half the history, then with less. No IO, no time.
 */
export class LlmRequests {
  readonly model: string
  /** left out in this execution, and whether that is worth remembering */
  readonly #left = new Map<string, boolean>()
  #history: readonly HistoryMessage[]
  /** times it was too long */
  #shortened = 0
  #count = 0

  constructor(
    private readonly turn: Turn,
    private readonly endpoint: LlmEndpoint,
    private readonly refused: RefusedParameters,
  ) {
    this.model = modelOf(turn, endpoint)
    this.#history = newestFitting(turn.history, roomForHistory(turn, endpoint) ?? Number.POSITIVE_INFINITY)
  }

  /** The next one. */
  next(): LlmBody {
    this.#count += 1
    return this.#body()
  }

  /** What the answer is to tell of them; undefined where there is nothing to tell. */
  get facts(): AnswerFacts | undefined {
    const trimmed = this.#history.length < this.turn.history.length
    if (!trimmed && this.#count === 1) return undefined
    return { attempts: this.#count, ...(trimmed ? { trimmed } : {}) }
  }

  /** Characters of all messages that the latest request has, where the server found an earlier one too long. */
  get shortenedTo(): number | undefined {
    if (this.#shortened === 0) return undefined
    const { message, profile } = this.turn
    const fixed = message.length + (profile.systemPrompt?.length ?? 0)
    return this.#history.reduce((sum, { content }) => sum + content.length, fixed)
  }

  /** Whether another request may go better than the one that failed so; `next` gives it. */
  again({ code, details }: ExecutionError): boolean {
    if (this.#count >= MAX_REQUESTS) return false
    const { refusedParameter: parameter } = details
    const tooLong = code === 'llm_context_too_long'
    if (parameter !== undefined && parameter in this.#body()) {
      const asked = this.#askedFor(parameter)
      if (asked !== undefined && KEPT_WISHES.has(asked)) return false
      // A limit that is too large for this prompt may be right for the next, and what one client asked for says nothing of others.
      return this.#leaveOut(parameter, !tooLong && asked === undefined)
    }
    const shorter = tooLong ? shortened(this.#history, this.#shortened + 1) : undefined
    if (shorter === undefined) return false
    this.#shortened += 1
    this.#history = shorter
    return true
  }

  /** The server took it. @returns the parameters that it is now known to refuse, each told once in a process */
  accepted(): readonly string[] {
    return [...this.#left]
      .filter(
        ([parameter, lasting]) => lasting && this.refused.add(this.endpoint.name, this.model, parameter),
      )
      .map(([parameter]) => parameter)
  }

  /** The failure, with the number of requests where there were several. What refuses a wish of the client is the client's. */
  told(failure: ExecutionError): ExecutionError {
    const { code, phase, message, timeout, details } = failure
    const { refusedParameter: parameter } = details
    const asked = parameter === undefined ? undefined : this.#askedFor(parameter)
    const more = {
      ...(this.#count <= 1 ? {} : { attempts: this.#count }),
      ...(asked === undefined ? {} : { rejected: true as const, refusedParameter: asked }),
    }
    if (Object.keys(more).length === 0) return failure
    return new ExecutionError(code, phase, message, timeout, { ...details, ...more }, { cause: failure })
  }

  /** OpenAI's name of a field of the request, where the client asked for it. */
  #askedFor(parameter: string): string | undefined {
    const asked = Object.keys(this.turn.parameters ?? {})
    return asked.find((name) => wireName(this.endpoint, name) === parameter)
  }

  #leaveOut(parameter: string, lasting: boolean): true {
    this.#left.set(parameter, lasting)
    return true
  }

  #body(): LlmBody {
    const out = new Set([...this.refused.of(this.endpoint.name, this.model), ...this.#left.keys()])
    const body = llmRequestBody(this.turn, this.endpoint, this.#history)
    if (out.size === 0) return body
    // Its options mean nothing without a stream, and servers refuse them alone.
    if (out.has('stream')) out.add(wireName(this.endpoint, 'stream_options'))
    return Object.fromEntries(Object.entries(body).filter(([name]) => !out.has(name)))
  }
}
