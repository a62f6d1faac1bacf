/** A small client of the chat API for browsers and Node: `chat-cutover/client`. Imports nothing but types. */

export type { SessionView } from '../protocol/api.js'
export type { DoneEvent, MessageBody } from '../protocol/events.js'
export type { SessionListView } from '../protocol/session-list.js'
export { type ChatClient, type ChatTurn, createChatClient, type TurnOptions } from './chat-client.js'
export type { ChatClientOptions, Fetch } from './connection.js'
export {
  type AnswerEntry,
  type Conversation,
  type ConversationAction,
  type ConversationEntry,
  EMPTY_CONVERSATION,
  type PlanStep,
  reduceConversation,
} from './conversation.js'
export { type ChatError, type InterruptionReason, isRecoverable, type Known, type Result } from './errors.js'
export type { Answer, ChatEvent, ChatMessage, StreamPlace } from './events.js'
export { type ReadOptions, readEvents, StreamSilent } from './read-events.js'
export { MAX_EVENT, type ServerEvent, SseParser } from './sse-parser.js'
