import type { MessageBody } from '../../protocol/events.js'
import type { BackendEvent } from '../backend.js'
import { commits } from '../commit-point.js'
import { ExecutionError, type ExecutionErrorDetails } from '../execution-error.js'
import { splitText } from '../parse/split-text.js'
import { rejectingCode } from '../refusal/whose-fault.js'
import { mapRuntimeFrame, type RuntimeFailure, type RuntimeSignal } from './runtime-events.js'
import type { FilePlaces } from './runtime-files.js'
import { SoftFailureScreen } from './soft-failure.js'

/** In a row; then the runtime does not speak our protocol. */
const MAX_UNPARSABLE = 10
/** Characters of a `[DONE]` with blanks around it that is looked at. */
const MAX_DONE = 64
/** Steps whose title is remembered. */
const MAX_TITLES = 1000

/** How the runtime's stream ended. `given`: we gave it up while it went on, so it must be told. */
export type RuntimeEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly error: ExecutionError; readonly givenUp: boolean }

/** Turns the frames of one execution into events, in order, until its end. Pure: no IO, no time. */
export class RuntimeTranslator {
  /** events of a kind we do not know */
  unknown = 0
  /** files that were not passed on, for where they are */
  droppedFiles = 0
  #end: RuntimeEnd | undefined
  #unparsable = 0
  /** an event that commits was passed on: there is no failover any more */
  #committed = false
  /** of the plan's steps; made with the first */
  #titles: Map<string, string> | undefined
  readonly #screen: SoftFailureScreen

  constructor(
    private readonly files: FilePlaces,
    softFailures: readonly string[],
  ) {
    this.#screen = new SoftFailureScreen(softFailures)
  }

  get end(): RuntimeEnd | undefined {
    return this.#end
  }

  /**
   * The events of one network read. Undefined when nothing came that is an event (pings, unknown ones); empty when
   * what came is held back.
   */
  translate(frames: readonly string[]): readonly BackendEvent[] | undefined {
    const out: BackendEvent[] = []
    let mapped = false
    for (const frame of frames) {
      if (this.#end !== undefined) break
      if (this.#take(frame, out)) mapped = true
    }
    return mapped || out.length > 0 ? out : undefined
  }

  /**
   * The stream broke off: text that was held until the next event is text, for no `execution_complete` made it a failure. The
   * beginning of an answer that nobody has read any of stays held: the direct LLM will answer instead.
   */
  breakOff(): readonly BackendEvent[] {
    const out: BackendEvent[] = []
    if (this.#screen.suspects || this.#committed) pushText(this.#screen.release(), out)
    return out
  }

  #take(frame: string, out: BackendEvent[]): boolean {
    if (frame === '[DONE]' || (frame.length < MAX_DONE && frame.trim() === '[DONE]')) {
      this.#complete(out)
      return false
    }
    const signal = mapRuntimeFrame(frame, this.files)
    if (signal.type === 'unparsable') {
      if (signal.commits) this.#commitUnread(out)
      this.#countUnparsable(out)
      return signal.commits
    }
    this.#unparsable = 0
    return this.#apply(signal, out)
  }

  #apply(signal: Exclude<RuntimeSignal, { type: 'unparsable' }>, out: BackendEvent[]): boolean {
    switch (signal.type) {
      case 'text':
        return this.#text(signal, out)
      case 'ping':
        return false
      case 'unknown':
        this.unknown += 1
        return false
      case 'dropped_file':
        // It was made all the same, so nobody else may answer any more.
        this.droppedFiles += 1
        this.#commitUnread(out)
        return true
      case 'complete':
        this.#completeWith(signal.finalResponse, out)
        return false
      case 'failure':
        out.push(...this.breakOff())
        this.#fail(failureOf(signal), false)
        return false
      default:
        this.#event(signal, out)
        return true
    }
  }

  #text(event: MessageBody & { type: 'text' }, out: BackendEvent[]): boolean {
    const { content } = event.data
    if (content === '') return false
    const passed = this.#screen.take(content)
    if (passed === undefined) this.#failSoftly(true)
    // The usual case: the chunk passes as it is, and so does the event that carries it.
    else if (passed === content) pushText(content, out, event)
    else pushText(passed, out)
    return true
  }

  #event(event: MessageBody, out: BackendEvent[]): void {
    if (event.type === 'plan') {
      for (const step of event.data.steps) this.#remember(step.id, step.title)
    } else if (event.type === 'plan_step') {
      if (event.data.title === '')
        event.data.title = this.#titles?.get(event.data.stepId) ?? event.data.stepId
      else this.#remember(event.data.stepId, event.data.title)
    }
    if (commits(event)) this.#committed = true
    // Order is kept around the commit point; what does not commit may pass opening text by that is held.
    if (this.#screen.suspects || (this.#screen.holds && commits(event))) pushText(this.#screen.release(), out)
    out.push(event)
  }

  #commitUnread(out: BackendEvent[]): void {
    this.#committed = true
    pushText(this.#screen.release(), out)
    out.push({ type: 'committed', data: null })
  }

  #remember(id: string, title: string): void {
    this.#titles ??= new Map()
    if (this.#titles.size < MAX_TITLES) this.#titles.set(id, title)
  }

  #completeWith(finalResponse: string | undefined, out: BackendEvent[]): void {
    if (this.#screen.suspects || (finalResponse !== undefined && this.#screen.failsFinally(finalResponse))) {
      this.#failSoftly(false)
      return
    }
    if (finalResponse !== undefined && this.#screen.empty) pushText(finalResponse, out)
    this.#complete(out)
  }

  #complete(out: BackendEvent[]): void {
    pushText(this.#screen.release(), out)
    this.#end = { kind: 'complete' }
  }

  #countUnparsable(out: BackendEvent[]): void {
    this.#unparsable += 1
    if (this.#unparsable < MAX_UNPARSABLE) return
    out.push(...this.breakOff())
    const said = `${MAX_UNPARSABLE} unparsable events in a row`
    this.#fail(new ExecutionError('runtime_protocol_error', 'streaming', said), true)
  }

  #failSoftly(givenUp: boolean): void {
    const error = new ExecutionError('runtime_soft_failure', 'streaming', 'an error sent as an answer')
    this.#fail(error, givenUp)
  }

  #fail(error: ExecutionError, givenUp: boolean): void {
    this.#end = { kind: 'failed', error, givenUp }
  }
}

function pushText(text: string, out: BackendEvent[], whole?: MessageBody): void {
  const pieces = splitText(text)
  if (pieces.length === 1 && whole !== undefined) out.push(whole)
  else for (const content of pieces) out.push({ type: 'text', data: { content } })
}

function failureOf(failure: RuntimeFailure): ExecutionError {
  const { code, httpStatus, traceId, timeout, cancelled } = failure
  const details: ExecutionErrorDetails = {
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(code === undefined ? {} : { upstreamCode: code }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(rejectingCode(code) ? { rejected: true } : {}),
  }
  const said = `execution_error ${code ?? 'without a code'}`
  if (cancelled) return new ExecutionError('runtime_cancelled', 'streaming', said, false, details)
  const ours = timeout ? 'runtime_timeout' : 'runtime_error'
  return new ExecutionError(ours, 'streaming', said, timeout, details)
}
