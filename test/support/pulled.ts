import type { BackendEvent, ChatBackend, ExecutionCall, Turn } from '../../src/execution/backend.js'
import {
  type Backends,
  type ExecuteTurnDeps,
  executeTurn,
  type TurnExecution,
} from '../../src/execution/execute-turn.js'
import type { ExecutionLimits } from '../../src/execution/execution.js'
import type { TurnResult } from '../../src/execution/turn-result.js'
import type { MessageBody } from '../../src/protocol/events.js'
import type { ExecutionMode } from '../../src/protocol/modes.js'

/** What was pushed, pulled one by one: whoever pushes is held from each batch to the next pull. */
export class Pulled<Batch, End> implements AsyncIterable<Batch> {
  #isStarted = false
  #isHeld = false
  #over = false
  readonly #came: (() => IteratorResult<Batch, End>)[] = []
  #wake: () => void = () => undefined

  constructor(
    private readonly source: {
      start(): void
      resume(): void
      leave(): void | Promise<void>
    },
  ) {}

  readonly batch = (batch: Batch): boolean => {
    this.#isHeld = true
    this.#deliver(() => ({ done: false, value: batch }))
    return false
  }

  readonly end = (end: () => End): void => {
    this.#deliver(() => {
      this.#over = true
      return { done: true, value: end() }
    })
  }

  async next(): Promise<IteratorResult<Batch, End>> {
    if (this.#over) return { done: true, value: undefined as End }
    if (!this.#isStarted) {
      this.#isStarted = true
      this.source.start()
    } else if (this.#isHeld && this.#came.length === 0) {
      this.#isHeld = false
      this.source.resume()
    }
    if (this.#came.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
    const came = this.#came.shift()
    if (came === undefined) throw new Error('pulled twice at a time')
    return came()
  }

  async return(_value?: unknown): Promise<IteratorResult<Batch, End>> {
    if (!this.#over) {
      this.#over = true
      await this.source.leave()
    }
    return { done: true, value: undefined as End }
  }

  [Symbol.asyncIterator](): AsyncIterator<Batch> {
    return this as AsyncIterator<Batch>
  }

  #deliver(came: () => IteratorResult<Batch, End>): void {
    if (this.#over) return
    this.#came.push(came)
    this.#wake()
  }
}

/** A turn of which the consumer pulls batch by batch; it holds each until it pulls again. */
export function pulledTurn(
  turn: Turn,
  mode: ExecutionMode,
  backends: Backends,
  limits: ExecutionLimits,
  deps: ExecuteTurnDeps,
): Pulled<readonly MessageBody[], TurnResult> {
  let execution: TurnExecution | undefined
  const pulled: Pulled<readonly MessageBody[], TurnResult> = new Pulled({
    start() {
      const sink = { batch: pulled.batch, end: (result: TurnResult) => pulled.end(() => result) }
      execution = executeTurn(turn, mode, backends, limits, deps, sink)
    },
    resume: () => execution?.resume(),
    leave: () => execution?.leave(),
  })
  return pulled
}

/** What a backend sends, pulled batch by batch; throws as the execution fails. To be left by the signal of its call. */
export function pulledAnswer(
  backend: ChatBackend,
  turn: Turn,
  call: ExecutionCall,
): Pulled<readonly BackendEvent[], void> {
  let answer: ReturnType<ChatBackend['execute']> | undefined
  let freed: () => void = () => undefined
  const gone = new Promise<void>((resolve) => (freed = resolve))
  const pulled: Pulled<readonly BackendEvent[], void> = new Pulled({
    start() {
      answer = backend.execute(turn, call, {
        batch: pulled.batch,
        end(failure) {
          freed()
          pulled.end(() => {
            if (failure !== undefined) throw failure
          })
        },
      })
    },
    resume: () => answer?.resume(),
    leave: () => gone,
  })
  return pulled
}
