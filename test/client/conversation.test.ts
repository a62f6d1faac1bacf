import { expect } from 'chai'
import type { ChatEvent, ChatMessage } from '../../src/client/index.js'
import {
  type AnswerEntry,
  type Conversation,
  type ConversationAction,
  EMPTY_CONVERSATION,
  reduceConversation,
} from '../../src/client/index.js'

const reduced = (...actions: ConversationAction[]): Conversation =>
  actions.reduce(reduceConversation, EMPTY_CONVERSATION)
const told = (event: ChatEvent): ConversationAction => ({ type: 'event', event })
const message = (body: Pick<ChatMessage, 'type' | 'data'>): ConversationAction =>
  told({
    type: 'message',
    eventId: 1,
    message: { id: 'm', timestamp: '2026-01-31T08:00:00.000Z', ...body } as ChatMessage,
  })
const SENT: ConversationAction = { type: 'sent', key: 'k', message: 'Hi' }
const OPEN = told({ type: 'open', sessionId: 's', streamId: 'm', resumable: false })
const DONE = {
  sessionId: 's',
  messageId: 'm',
  usage: { tokens: 1, latencyMs: 1 },
  executionMode: 'direct_llm',
  decision: { mode: 'direct_llm', reason: 'default', shadow: false },
} as const

function answerOf({ entries }: Conversation): AnswerEntry {
  const last = entries.at(-1)
  if (last?.role !== 'assistant') throw new Error('there is no answer')
  return last
}

describe('a conversation by its events', () => {
  it('grows from a question to its answer', () => {
    const waiting = reduced(SENT)
    expect(waiting).to.include({ busy: true })
    expect(answerOf(waiting).status).to.equal('waiting')
    const ended = reduced(
      SENT,
      OPEN,
      message({ type: 'thinking', data: { content: 'Hm. ' } }),
      message({ type: 'text', data: { content: 'Hel' } }),
      message({ type: 'text', data: { content: 'lo' } }),
      told({ type: 'done', done: DONE }),
    )
    expect(ended).to.include({ sessionId: 's', busy: false })
    expect(ended.entries[0]).to.deep.equal({ role: 'user', key: 'k', content: 'Hi' })
    expect(answerOf(ended)).to.include({
      content: 'Hello',
      thinking: 'Hm. ',
      status: 'answered',
      key: 'k-answer',
    })
  })

  it('keeps the plan and what became of each step, and calls in their order', () => {
    const steps = [{ id: '1', title: 'Search', status: 'pending' as const }]
    const now = reduced(
      SENT,
      message({ type: 'plan', data: { steps, currentStep: 0 } }),
      message({ type: 'plan_step', data: { stepId: '1', title: 'Search', status: 'completed' } }),
      message({ type: 'plan_step', data: { stepId: '2', title: 'Write', status: 'running' } }),
      message({ type: 'tool_call', data: { toolName: 'web', arguments: {}, status: 'calling' } }),
      message({ type: 'tool_result', data: { toolName: 'web', result: 1, success: true } }),
    )
    expect(answerOf(now).steps.map(({ id, status }) => `${id} ${status}`)).to.deep.equal([
      '1 completed',
      '2 running',
    ])
    expect(answerOf(now).activities.map(({ type }) => type)).to.deep.equal(['tool_call', 'tool_result'])
  })

  it('tells stopped and failed apart, and takes the next message after either', () => {
    const stopped = reduced(SENT, told({ type: 'done', done: { ...DONE, stopped: true } }))
    expect(answerOf(stopped).status).to.equal('stopped')
    const error = { kind: 'interrupted', message: 'broke', reason: 'broke' } as const
    const failed = reduced(SENT, OPEN, told({ type: 'failed', error }))
    expect(answerOf(failed)).to.deep.include({ status: 'failed', error })
    expect(failed.busy).to.equal(false)
  })

  it('is read from the history', () => {
    const at = '2026-01-31T08:00:00.000Z'
    const loaded = reduced(SENT, {
      type: 'loaded',
      session: {
        sessionId: 's',
        agentId: 'a',
        createdAt: at,
        updatedAt: at,
        messages: [
          { id: '1', role: 'user', content: 'Hi', createdAt: at },
          { id: '2', role: 'assistant', content: 'Hel', status: 'aborted', createdAt: at },
        ],
      },
    })
    expect(loaded.entries).to.have.length(2)
    expect(answerOf(loaded)).to.include({ content: 'Hel', status: 'failed', key: '2' })
    expect(reduceConversation(loaded, { type: 'cleared' })).to.deep.equal(EMPTY_CONVERSATION)
  })
})
