import type { Clock } from '../../core/clock.js'
import type { LlmEndpoint } from '../../llm/endpoint.js'
import type { BackendEvent, BackendSink, ExecutionCall, RunningExecution, Turn } from '../backend.js'
import { ExecutionError } from '../execution-error.js'
import { LlmAnswer } from '../openai/llm-answer.js'
import { llmStatusFailure } from '../openai/llm-status.js'
import type { HttpClient } from '../upstream/http-client.js'
import { fenceHeaders } from '../upstream/shadow-fence.js'
import { transportFailure } from '../upstream/upstream-failure.js'
import type { UpstreamResponse } from '../upstream/upstream-response.js'
import type { LlmRequests } from './llm-requests.js'
import { SharedBudget } from './shared-budget.js'

export interface DirectExecutionDeps {
  readonly clock: Clock
  readonly client: HttpClient
  readonly endpoint: LlmEndpoint
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** The server answers: what it told and what is to be remembered. Asked with the first batch. */
  told(requests: LlmRequests): readonly BackendEvent[]
  /** An answer ended well, but so many of its chunks could not be read. */
  unreadable(chunks: number, turn: Turn): void
}

/** One execution at one endpoint: its requests one after the other, until one is answered. */
export class DirectExecution implements RunningExecution, BackendSink {
  readonly #budget: SharedBudget
  #answer: LlmAnswer | undefined
  #response: UpstreamResponse | undefined
  #shown = false

  constructor(
    private readonly turn: Turn,
    private readonly call: ExecutionCall,
    private readonly requests: LlmRequests,
    private readonly deps: DirectExecutionDeps,
    private readonly sink: BackendSink,
  ) {
    this.#budget = new SharedBudget(deps.clock, call)
  }

  /** Sends the first request. */
  start(): void {
    this.call.signal.addEventListener('abort', this.#onAbort, { once: true })
    void this.#ask()
  }

  resume(): void {
    this.#answer?.resume()
  }

  /** Of the answer: see `BackendSink`. */
  batch(batch: readonly BackendEvent[]): boolean {
    if (this.#shown) return this.sink.batch(batch)
    this.#shown = true
    return this.sink.batch([...this.deps.told(this.requests), ...batch])
  }

  /** Of the answer: see `BackendSink`. */
  end(failure?: unknown): void {
    if (failure !== undefined) {
      this.#failed(failure)
      return
    }
    const chunks = this.#answer?.unreadable ?? 0
    if (chunks > 0) this.deps.unreadable(chunks, this.turn)
    this.#response?.release()
    this.#finish()
  }

  /** The transport ends a request; of an answer that it has read whole it has nothing more to tell. */
  readonly #onAbort = (): void => {
    this.#answer?.abort()
  }

  #finish(failure?: unknown): void {
    this.call.signal.removeEventListener('abort', this.#onAbort)
    this.sink.end(failure)
  }

  /** Up to the response head; never rejects. */
  async #ask(): Promise<void> {
    try {
      const response = await this.#request()
      this.call.onHeaders()
      const { clock, endpoint } = this.deps
      const answer = new LlmAnswer(response, this.call, clock, { thinkTags: endpoint.thinkTags }, this)
      this.#answer = answer
      answer.start()
    } catch (thrown) {
      this.#failed(thrown)
    }
  }

  async #request(): Promise<UpstreamResponse> {
    const { client, clock, url, headers } = this.deps
    const { turn, call } = this
    const body = this.requests.next()
    const response = await client.post({
      url,
      headers: {
        ...headers,
        accept: 'text/event-stream',
        'x-request-id': turn.requestId,
        ...call.span?.headers,
        ...fenceHeaders(turn),
      },
      body: JSON.stringify(body),
      signal: call.signal,
      ...this.#budget.left(),
      onConnected: () => this.#budget.connected(),
    })
    this.#response = response
    if (response.status >= 200 && response.status <= 299) return response
    throw await llmStatusFailure(response, url, clock, Object.keys(body))
  }

  /** Makes another request where that helps, or ends with the failure. */
  #failed(thrown: unknown): void {
    const answer = this.#answer
    const response = this.#response
    answer?.close()
    this.#answer = undefined
    this.#response = undefined
    const failure = transportFailure('llm', thrown)
    const isOurs = failure instanceof ExecutionError
    const isOver = !isOurs || this.#shown || this.call.signal.aborted || this.#budget.isSpent
    if (!isOver && this.requests.again(failure)) {
      // A body that was read leaves the connection free for the next request.
      if (answer === undefined) response?.release()
      else response?.destroy()
      void this.#ask()
      return
    }
    response?.destroy()
    this.#finish(isOurs ? this.requests.told(failure) : failure)
  }
}
