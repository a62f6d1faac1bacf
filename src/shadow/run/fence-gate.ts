import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import { errorText } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import { Turnstile } from '../../core/turnstile.js'
import type { ChatBackend, Turn } from '../../execution/backend.js'
import { runtimeAllowance } from '../../execution/deadlines.js'
import { Execution, type ExecutionLimits } from '../../execution/execution.js'
import { readToEnd } from './read-to-end.js'
import { shadowTurn } from './shadow-turn.js'

/**
 * Lets shadows pass only to a runtime that keeps the fence: one that answers a shadow's request with the header
 * `X-Chat-Shadow: honoured`. Whether it does is asked with a harmless question, not with a user's turn: a runtime that
 * ignores the fence would run that turn's tools a second time.
 */
export interface FenceGate {
  /**
   * Whether a shadow of this turn may go to the runtime now. Where it is not known yet, asks by this turn's caller and limits,
   * and says no until the runtime has answered.
   */
  mayPass(turn: Turn, limits: ExecutionLimits): boolean
  /** The runtime's newest answers kept the fence. */
  isOpen(): boolean
  /** A good response head to the request of a shadow came. */
  sawHead(honoured: boolean): void
  /** Gives up a question under way, and asks no more; ends within a second. */
  stop(): Promise<void>
}

export interface FenceGateDeps {
  /** tells the heads it sees to `sawHead` */
  runtime(): ChatBackend
  readonly clock: Clock
  readonly logger: Logger
  readonly ids: { newId(): string }
}

/** Needs no tool, no history and few tokens. */
const QUESTION = 'Hello. Please answer with one word.'
/** ms until the next question where the last one brought no answer: the runtime may be down */
const AGAIN_WITHOUT_ANSWER_MS = 10_000
/** ms until the next question where the runtime ignored the fence: it may be replaced by one that keeps it */
const AGAIN_AFTER_NO_MS = 60_000
/** ms for a question to be given up, the cancel included */
const STOP_MS = 900

type State =
  | { readonly kind: 'unknown' /** monotonic ms */; readonly askAt: number }
  | { readonly kind: 'asking' }
  | { readonly kind: 'honoured' }
  | { readonly kind: 'ignored'; readonly askAt: number }

export function createFenceGate(deps: FenceGateDeps): FenceGate {
  return new Gate(deps)
}

class Gate implements FenceGate {
  readonly #turnstile = new Turnstile()
  #state: State = { kind: 'unknown', askAt: Number.NEGATIVE_INFINITY }
  #question: { readonly execution: Execution; readonly ended: Promise<void> } | undefined
  #stopped = false

  constructor(private readonly deps: FenceGateDeps) {}

  mayPass(turn: Turn, limits: ExecutionLimits): boolean {
    const state = this.#state
    switch (state.kind) {
      case 'honoured':
        return true
      case 'asking':
        return false
      case 'unknown':
      case 'ignored':
        if (!this.#stopped && this.#question === undefined && this.deps.clock.monotonic() >= state.askAt)
          this.#ask(turn, limits)
        return false
    }
  }

  isOpen(): boolean {
    return this.#state.kind === 'honoured'
  }

  sawHead(honoured: boolean): void {
    const before = this.#state.kind
    if (!honoured) {
      this.#state = { kind: 'ignored', askAt: this.deps.clock.monotonic() + AGAIN_AFTER_NO_MS }
      if (before !== 'ignored')
        this.deps.logger.warn('the runtime ignores the fence around shadows: none is sent to it')
      return
    }
    // Of several runtimes behind one address one may ignore the fence: another one's answer does not open the gate again.
    if (before !== 'asking') return
    this.#state = { kind: 'honoured' }
    this.deps.logger.info('the runtime keeps the fence around shadows')
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const question = this.#question
    if (question === undefined) return
    question.execution.abort('shutting_down')
    await bounded(question.ended, STOP_MS, this.deps.clock)
  }

  #ask(turn: Turn, limits: ExecutionLimits): void {
    const { clock, logger, ids } = this.deps
    this.#state = { kind: 'asking' }
    const after: Promise<void>[] = []
    const question: Turn = { ...shadowTurn(turn, ids), message: QUESTION, history: [] }
    const execution = new Execution(this.deps.runtime(), question, limits, runtimeAllowance(limits), {
      clock,
      logger,
      record: () => {},
      after: (task) => void after.push(task),
    })
    const ended = readToEnd(execution, after, this.#turnstile)
      .catch((thrown) => logger.error({ error: errorText(thrown) }, 'the question for the fence broke'))
      .then(() => this.#asked())
    this.#question = { execution, ended }
  }

  #asked(): void {
    this.#question = undefined
    if (this.#state.kind === 'asking')
      this.#state = { kind: 'unknown', askAt: this.deps.clock.monotonic() + AGAIN_WITHOUT_ANSWER_MS }
  }
}
