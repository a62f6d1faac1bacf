import type { MessageBody } from '../../protocol/events.js'
import {
  type FailedAt,
  MOST_TRACE_ENTRIES,
  MOST_TRACE_NAME,
  type TurnTrace,
} from '../../protocol/turn-trace.js'

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }
type Step = Mutable<TurnTrace['steps'][number]>
type Call = Mutable<TurnTrace['calls'][number]>
type CallStart = Extract<MessageBody, { type: 'tool_call' | 'skill_call' | 'mcp_call' }>
type CallEnd = Extract<MessageBody, { type: 'tool_result' | 'skill_result' | 'mcp_result' }>

/** Told of calls as they begin and end. */
export interface CallListener {
  began(call: Readonly<Call>): void
  ended(call: Readonly<Call>): void
}

/**
 * The plan steps and calls of a turn: their ids, names and times, nothing of the content. Ids and names come from the runtime and are
 * cut; so many entries are kept, the first ones. Times in ms from the turn's start.
 */
export class StepLog {
  /** made with the first step: most turns have none */
  #steps: Map<string, Step> | undefined
  readonly #calls: Call[] = []
  /** without their ends, oldest first; entries of `#calls` */
  readonly #open: Call[] = []
  #step: Step | undefined
  #call: Call | undefined
  #failedAt: FailedAt | undefined
  #dropped = 0
  #seen = 0

  /**
   * @param messageId of the turn: `message` events of its stream have ids of its first eight characters and a count
   * (http/stream), by which a client finds the event of a call
   */
  constructor(
    private readonly messageId: string,
    private readonly listener: CallListener | undefined,
  ) {}

  /** So many events that are text: they only count. */
  sawTexts(count: number): void {
    this.#seen += count
  }

  /** Every other batch of an execution that goes to the reader, in order. */
  saw(batch: readonly MessageBody[], at: number): void {
    for (const event of batch) {
      this.#seen += 1
      if (event.type !== 'text') this.#see(event, at)
    }
  }

  /** A batch between two executions: it closes on the client's screen what the first left open. */
  sawClosing(batch: readonly MessageBody[]): void {
    this.#seen += batch.length
    for (const { type, data } of batch) {
      const step = type === 'plan_step' ? this.#steps?.get(named(data.stepId)) : undefined
      if (step !== undefined) step.status = 'skipped'
    }
  }

  executionBegan(): void {
    this.#failedAt = undefined
  }

  /** Nothing more comes of it. */
  executionEnded(at: number, failed: boolean): void {
    if (failed) this.#failedAt = this.#atWork()
    for (const call of this.#open.splice(0)) this.#close(call, 'interrupted', at)
    this.#step = undefined
    this.#call = undefined
  }

  /** Of the latest execution, where it failed. */
  get failedAt(): FailedAt | undefined {
    return this.#failedAt
  }

  /** The call and the step at work, or the latest ones where those failed. */
  #atWork(): FailedAt | undefined {
    const call = this.#open.at(-1) ?? this.#call
    const running = [...(this.#steps?.values() ?? [])].filter(({ status }) => status === 'running').at(-1)
    const step = running ?? this.#step
    const isCallsFault = call?.status === 'running' || call?.status === 'error'
    const isStepsFault = step?.status === 'running' || step?.status === 'failed'
    if (!isCallsFault && !isStepsFault) return undefined
    return {
      ...(isStepsFault ? { stepId: step.stepId } : {}),
      ...(isCallsFault ? { callId: call.callId } : {}),
    }
  }

  get entries(): Pick<TurnTrace, 'steps' | 'calls' | 'dropped'> {
    return { steps: [...(this.#steps?.values() ?? [])], calls: this.#calls, dropped: this.#dropped }
  }

  #see(event: MessageBody, at: number): void {
    switch (event.type) {
      case 'plan':
        for (const { id, status } of event.data.steps) this.#stepOf(id, status)
        return
      case 'plan_step':
        this.#seeStep(event.data, at)
        return
      case 'tool_call':
      case 'skill_call':
      case 'mcp_call':
        this.#begin(event, at)
        return
      case 'tool_result':
      case 'skill_result':
      case 'mcp_result':
        this.#end(event, at)
        return
      default:
    }
  }

  #seeStep(
    { stepId, status, tool, durationMs }: Extract<MessageBody, { type: 'plan_step' }>['data'],
    at: number,
  ): void {
    const step = this.#stepOf(stepId, status)
    if (step === undefined) return
    // Left over by an execution that failed: it never was at work here.
    if (status === 'skipped' && step.at === undefined) return
    step.at ??= at
    if (tool !== undefined) step.tool = named(tool)
    if (status !== 'pending' && status !== 'running') step.durationMs = whole(durationMs, at - step.at)
    this.#step = step
  }

  #stepOf(id: string, status: Step['status']): Step | undefined {
    const stepId = named(id)
    this.#steps ??= new Map()
    const known = this.#steps.get(stepId)
    if (known !== undefined) {
      known.status = status
      return known
    }
    if (this.#steps.size >= MOST_TRACE_ENTRIES) {
      // Once a step: its other events say nothing new.
      if (status === 'running') this.#dropped += 1
      return undefined
    }
    const step: Step = { stepId, status }
    this.#steps.set(stepId, step)
    return step
  }

  #begin(event: CallStart, at: number): void {
    const call = this.#add({ ...identityOf(event), callId: this.#eventId(), status: 'running', at })
    if (call === undefined) {
      this.#dropped += 1
      return
    }
    if (this.#step?.status === 'running') call.stepId = this.#step.stepId
    this.#open.push(call)
    this.listener?.began(call)
  }

  #end(event: CallEnd, at: number): void {
    const identity = identityOf(event)
    const { success, duration } = event.data
    const index = this.#open.findIndex((call) => call.kind === identity.kind && call.name === identity.name)
    const [open] = index < 0 ? [] : this.#open.splice(index, 1)
    // Some runtimes tell the result alone.
    const call = open ?? this.#add({ ...identity, callId: this.#eventId(), status: 'running', at })
    if (call === undefined) return
    if (open === undefined) this.listener?.began(call)
    this.#close(call, success ? 'success' : 'error', at, duration)
  }

  #add(call: Call): Call | undefined {
    if (this.#calls.length >= MOST_TRACE_ENTRIES) return undefined
    this.#calls.push(call)
    this.#call = call
    return call
  }

  #close(call: Call, status: Call['status'], at: number, durationMs?: number): void {
    call.status = status
    call.durationMs = whole(durationMs, at - call.at)
    this.#call = call
    this.listener?.ended(call)
  }

  #eventId(): string {
    return `${this.messageId.slice(0, 8)}-${this.#seen}`
  }
}

function identityOf(event: CallStart | CallEnd): Pick<Call, 'kind' | 'name' | 'serverId'> {
  switch (event.type) {
    case 'tool_call':
    case 'tool_result':
      return { kind: 'tool', name: named(event.data.toolName) }
    case 'skill_call':
    case 'skill_result':
      return { kind: 'skill', name: named(event.data.skillId) }
    case 'mcp_call':
    case 'mcp_result':
      return { kind: 'mcp', name: named(event.data.toolName), serverId: named(event.data.serverId) }
  }
}

/** What the runtime measured, where that can be a number of ms. */
const whole = (told: number | undefined, measured: number): number =>
  Math.round(told !== undefined && Number.isSafeInteger(Math.round(told)) ? told : measured)

const named = (text: string): string =>
  text.length > MOST_TRACE_NAME ? `${text.slice(0, MOST_TRACE_NAME - 1)}…` : text
