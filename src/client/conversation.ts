import type { SessionView } from '../protocol/api.js'
import type { DoneEvent, MessageBody } from '../protocol/events.js'
import type { ChatError } from './errors.js'
import type { ChatEvent, ChatMessage } from './events.js'

export type PlanStep = Extract<MessageBody, { type: 'plan' }>['data']['steps'][number]

/** What the user wrote, or what became of it. */
export type ConversationEntry =
  | { readonly role: 'user'; readonly key: string; readonly content: string }
  | {
      readonly role: 'assistant'
      readonly key: string
      /** the text so far */
      readonly content: string
      readonly thinking: string
      readonly steps: readonly PlanStep[]
      /** calls, results and files, in their order */
      readonly activities: readonly ChatMessage[]
      /** `waiting` until something comes */
      readonly status: 'waiting' | 'answering' | 'answered' | 'stopped' | 'failed'
      readonly done?: DoneEvent
      readonly error?: ChatError
    }
export type AnswerEntry = Extract<ConversationEntry, { role: 'assistant' }>

/** A conversation as a page shows it. */
export interface Conversation {
  /** absent before the first turn has begun */
  readonly sessionId?: string
  /** oldest first */
  readonly entries: readonly ConversationEntry[]
  /** a turn runs: a session takes one at a time */
  readonly busy: boolean
}

export const EMPTY_CONVERSATION: Conversation = { entries: [], busy: false }

/** `key`: unique within the conversation; the answer's gets `-answer` behind it. */
export type ConversationAction =
  | { readonly type: 'loaded'; readonly session: SessionView }
  | { readonly type: 'sent'; readonly key: string; readonly message: string }
  | { readonly type: 'event'; readonly event: ChatEvent }
  | { readonly type: 'cleared' }

/** The conversation after an action. Pure, for React, Vue, Svelte or none. */
export function reduceConversation(before: Conversation, action: ConversationAction): Conversation {
  switch (action.type) {
    case 'cleared':
      return EMPTY_CONVERSATION
    case 'loaded':
      return {
        sessionId: action.session.sessionId,
        entries: action.session.messages.map(keptEntry),
        busy: false,
      }
    case 'sent': {
      const { key, message } = action
      const asked: ConversationEntry = { role: 'user', key, content: message }
      return { ...before, entries: [...before.entries, asked, emptyAnswer(`${key}-answer`)], busy: true }
    }
    case 'event':
      return afterEvent(before, action.event)
  }
}

function afterEvent(before: Conversation, event: ChatEvent): Conversation {
  switch (event.type) {
    case 'open':
      return { ...before, sessionId: event.sessionId }
    case 'message':
      return withAnswer(before, (answer) => afterMessage(answer, event.message))
    case 'retry':
      return before
    case 'done': {
      const { done } = event
      const ended = withAnswer(before, (answer) => ({
        ...answer,
        status: done.stopped === true ? 'stopped' : 'answered',
        done,
      }))
      return { ...ended, sessionId: done.sessionId, busy: false }
    }
    case 'failed': {
      const { error } = event
      return { ...withAnswer(before, (answer) => ({ ...answer, status: 'failed', error })), busy: false }
    }
  }
}

const emptyAnswer = (key: string): AnswerEntry => ({
  role: 'assistant',
  key,
  content: '',
  thinking: '',
  steps: [],
  activities: [],
  status: 'waiting',
})

/** The newest answer changed; all else stays the same object. */
function withAnswer(before: Conversation, change: (answer: AnswerEntry) => AnswerEntry): Conversation {
  const last = before.entries.at(-1)
  if (last?.role !== 'assistant') return before
  return { ...before, entries: [...before.entries.slice(0, -1), change(last)] }
}

function afterMessage(before: AnswerEntry, message: ChatMessage): AnswerEntry {
  const answer: AnswerEntry = { ...before, status: 'answering' }
  switch (message.type) {
    case 'text':
      return { ...answer, content: answer.content + message.data.content }
    case 'thinking':
      return { ...answer, thinking: answer.thinking + message.data.content }
    case 'plan':
      return { ...answer, steps: message.data.steps }
    case 'plan_step': {
      const { stepId: id, title, status } = message.data
      const step = { id, title, status }
      const isKnown = answer.steps.some((one) => one.id === id)
      const steps = isKnown
        ? answer.steps.map((one) => (one.id === id ? step : one))
        : [...answer.steps, step]
      return { ...answer, steps }
    }
    default:
      return { ...answer, activities: [...answer.activities, message] }
  }
}

const KEPT_STATUS = {
  running: 'answering',
  answered: 'answered',
  stopped: 'stopped',
  failed: 'failed',
  aborted: 'failed',
} as const

function keptEntry(message: SessionView['messages'][number]): ConversationEntry {
  const { id: key, content } = message
  if (message.role === 'user') return { role: 'user', key, content }
  return { ...emptyAnswer(key), content, status: KEPT_STATUS[message.status] }
}
