import { signal } from '@preact/signals'
import {
  type ChatError,
  type ChatEvent,
  type ChatMessage,
  type ChatTurn,
  createChatClient,
} from '../../client/index.js'
import type { DoneEvent } from '../../protocol/events.js'
import { token } from '../api/session.js'
import { duration } from '../text/format.js'
import { language, t } from '../text/language.js'
import { MODES, PARTS } from '../text/parts.js'
import { STEP_STATUSES, TRY_IT } from '../text/try-it.js'

/** The turns of this page: what was said, and what happened meanwhile. */

/** One line beside the chat. */
export interface Happened {
  /** ms from the start of the turn */
  readonly at: number
  /** in the language of the page at the time it is read */
  readonly text: () => string
  readonly kind: 'plain' | 'good' | 'bad' | 'warn'
}

export interface Turn {
  readonly message: string
  readonly answer: string
  readonly happened: readonly Happened[]
  readonly state: 'running' | 'done' | 'failed'
  readonly done?: DoneEvent
}

const MAX_TURNS = 50
const MAX_HAPPENED = 300

export const turns = signal<readonly Turn[]>([])
export const sessionId = signal<string | undefined>(undefined)
export const running = signal<ChatTurn | undefined>(undefined)

const client = () => createChatClient({ token: () => token.value ?? '', language: language.value })

/** Runs one turn to its end. Never rejects. */
export async function runTurn(agentId: string, message: string): Promise<void> {
  const chat = client()
  const turn =
    sessionId.value === undefined ? chat.start({ agentId, message }) : chat.send(sessionId.value, message)
  running.value = turn
  const begun = performance.now()
  turns.value = [...turns.value.slice(1 - MAX_TURNS), { message, answer: '', happened: [], state: 'running' }]
  for await (const event of turn) {
    // Left behind for a new session: nothing of it may appear there.
    if (running.value !== turn) return
    take(event, Math.round(performance.now() - begun))
  }
  if (running.value === turn) running.value = undefined
}

/** The service ends the turn, as for any client; the stream tells so. */
export async function stopTurn(): Promise<void> {
  const turn = running.value
  if (turn === undefined) return
  if (sessionId.value === undefined) return turn.abort()
  const stopped = await client().stop(sessionId.value)
  // What the service cannot be asked to end, the page at least leaves.
  if (!stopped.ok) turn.abort()
}

/** Forgets the turns of this page; one that still runs is left. */
export function newSession(): void {
  running.value?.abort()
  running.value = undefined
  sessionId.value = undefined
  turns.value = []
}

function change(by: (turn: Turn) => Turn): void {
  turns.value = turns.value.map((turn, at) => (at === turns.value.length - 1 ? by(turn) : turn))
}

type Told = Pick<Happened, 'text' | 'kind'> | undefined

const told = (text: () => string, kind: Happened['kind'] = 'plain'): Told => ({ text, kind })

/** Takes over what the event brings, and keeps the line that tells of it. */
function take(event: ChatEvent, at: number): void {
  const line = lineOf(event)
  const failover = event.type === 'done' ? failoverLine(event.done) : undefined
  if (event.type === 'open') sessionId.value = event.sessionId
  change((turn) => ({
    ...turn,
    ...(event.type === 'message' && event.message.type === 'text'
      ? { answer: turn.answer + event.message.data.content }
      : {}),
    ...(event.type === 'done' ? { state: 'done', done: event.done } : {}),
    ...(event.type === 'failed' ? { state: 'failed' } : {}),
    happened: withFailover(
      line === undefined ? turn.happened : [...turn.happened, { at, ...line }],
      failover,
    ).slice(-MAX_HAPPENED),
  }))
}

/** The stream tells of a failover only at its end. It stands where it happened: before the text of the backend that took over. */
function withFailover(happened: readonly Happened[], failover: Happened | undefined): readonly Happened[] {
  if (failover === undefined) return happened
  // The service measures from its own start of the turn, the page from its request.
  const at = Math.max(failover.at, happened[0]?.at ?? 0)
  const earlier = happened.filter((line) => line.at <= at)
  return [...earlier, { ...failover, at }, ...happened.slice(earlier.length)]
}

function lineOf(event: ChatEvent): Told {
  switch (event.type) {
    case 'open':
      return told(() => t(TRY_IT.opened))
    case 'retry':
      return told(() => t(TRY_IT.retry, { why: event.error.message, after: duration(event.afterMs) }), 'warn')
    case 'message':
      return messageLine(event.message)
    case 'done':
      return doneLine(event.done)
    case 'failed':
      return told(() => t(TRY_IT.failed, { message: faultText(event.error) }), 'bad')
  }
}

/** A refusal names the fields only in its details. */
function faultText(error: ChatError): string {
  switch (error.kind) {
    case 'refused':
      return [error.message, ...error.details].join(' · ')
    case 'unreachable':
      return t(PARTS.unreachable, { message: error.message })
    default:
      return error.message
  }
}

function messageLine(message: ChatMessage): Told {
  switch (message.type) {
    case 'text':
      return turns.value.at(-1)?.answer === '' ? told(() => t(TRY_IT.firstText), 'good') : undefined
    case 'thinking':
      return told(() => t(TRY_IT.thinking, { text: message.data.content }))
    case 'plan':
      return told(() => t(TRY_IT.plan, { steps: message.data.steps.map(({ title }) => title).join(' → ') }))
    case 'plan_step': {
      const { title, status } = message.data
      return told(
        () => t(TRY_IT.step, { title, status: t(STEP_STATUSES[status]) }),
        status === 'failed' ? 'bad' : 'plain',
      )
    }
    case 'tool_call':
    case 'mcp_call':
      return told(() => t(TRY_IT.call, { name: message.data.toolName }))
    case 'skill_call':
      return told(() => t(TRY_IT.call, { name: message.data.skillName }))
    case 'tool_result':
    case 'mcp_result':
      return resultLine(message.data.toolName, message.data.success)
    case 'skill_result':
      return resultLine(message.data.skillName, message.data.success)
    case 'file':
      return told(() => t(TRY_IT.file, { name: message.data.filename }))
  }
}

const resultLine = (name: string, success: boolean): Told =>
  told(
    () => t(TRY_IT.result, { name, status: t(success ? TRY_IT.success : TRY_IT.error) }),
    success ? 'good' : 'bad',
  )

function failoverLine({ failover }: DoneEvent): Happened | undefined {
  if (failover === undefined) return undefined
  const { from, cause, phase, afterMs } = failover
  const text = () => t(TRY_IT.failover, { from: t(MODES[from]), cause, phase, after: duration(afterMs) })
  return { at: Math.round(afterMs), text, kind: 'warn' }
}

function doneLine({ failover, usage, executionMode, decision, stopped }: DoneEvent): Told {
  const text = () =>
    t(TRY_IT.done, {
      mode: t(MODES[executionMode]),
      tokens: usage.tokens,
      latency: duration(usage.latencyMs),
      reason: decision.reason,
    })
  return told(
    stopped === true ? () => `${text()} · ${t(TRY_IT.stopped)}` : text,
    failover === undefined ? 'good' : 'warn',
  )
}
