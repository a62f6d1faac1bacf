import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import { errorText } from '../../core/errors.js'
import { isLocalFaultCode } from '../../core/local-fault.js'
import type { Logger } from '../../core/logger.js'
import { createLoop, type Loop } from '../../core/loop.js'
import type { ModelsAnswer, ModelsRequest } from '../../execution/llm/llm-models.js'
import type { StandbyState } from '../evidence/evidence.js'

/** Looks whether the direct LLM could take over, while nobody uses it. Nothing here throws. */
export interface StandbyWatch {
  start(): void
  /** Gives up what is under way, for good. */
  stop(): Promise<void>
  /** An execution of the direct LLM ended well: it can be used, whatever its list of models says. */
  answered(): void
  state(): StandbyState
}

export interface StandbyWatchDeps {
  /** of the endpoints, the first one first */
  readonly requests: readonly ModelsRequest[]
  readonly clock: Clock
  readonly logger: Logger
  /** `unusable` became another. */
  onChange(): void
}

/** ms between two looks */
const INTERVAL_MS = 30_000
/** ms after the first bad look: one alone may be a lost packet */
const AGAIN_MS = 1000
const PAUSE_MS = 1000
/** ms for one look */
const LOOK_MS = 15_000
/** looks in a row without a usable endpoint that make the direct LLM unusable */
const ENOUGH = 2

export function createStandbyWatch(deps: StandbyWatchDeps): StandbyWatch {
  return new Watch(deps)
}

class Watch implements StandbyWatch {
  #bad = 0
  #why: string | undefined
  #controller = new AbortController()
  #isStopped = false
  readonly #loop: Loop

  constructor(private readonly deps: StandbyWatchDeps) {
    const { clock, logger } = deps
    this.#loop = createLoop({
      clock,
      intervalMs: () => (this.#bad > 0 && this.#bad < ENOUGH ? AGAIN_MS : INTERVAL_MS),
      pauseMs: PAUSE_MS,
      run: () => this.#look(),
      onError: (thrown) => logger.error({ error: errorText(thrown) }, 'the look at the direct LLM failed'),
    })
  }

  start(): void {
    void this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#controller.abort()
    await this.#loop.stop()
    for (const request of this.deps.requests) request.close()
  }

  answered(): void {
    if (this.#bad > 0) this.#take({ usable: true })
  }

  state(): StandbyState {
    const unusable = this.#bad >= ENOUGH
    return { unusable, ...(unusable && this.#why !== undefined ? { why: this.#why } : {}) }
  }

  async #look(): Promise<void> {
    const controller = new AbortController()
    this.#controller = controller
    const asked = this.deps.requests.map((request) => request.ask(controller.signal))
    const answers = await bounded(Promise.all(asked), LOOK_MS, this.deps.clock)
    controller.abort()
    if (this.#isStopped) return
    // What this machine lacks says nothing of the direct LLM.
    if (answers !== 'late' && answers.some(isOurs)) return
    if (answers === 'late') this.#take({ usable: false, code: 'timeout' })
    else this.#take(answers.find(({ usable }) => usable) ?? answers[0] ?? { usable: true })
  }

  #take(answer: ModelsAnswer): void {
    const before = this.state().unusable
    this.#bad = answer.usable ? 0 : this.#bad + 1
    this.#why = answer.usable ? undefined : whyOf(answer)
    const { unusable, why } = this.state()
    if (unusable === before) return
    if (unusable) this.deps.logger.warn({ why }, '[Standby] the direct LLM cannot be used')
    else this.deps.logger.info({}, '[Standby] the direct LLM can be used again')
    this.deps.onChange()
  }
}

const isOurs = (answer: ModelsAnswer): boolean => !answer.usable && isLocalFaultCode(answer.code)

const whyOf = ({ code, status }: Extract<ModelsAnswer, { usable: false }>): string =>
  status === undefined ? code : `${code} ${status}`
