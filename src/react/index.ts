/** The client of the chat API as a React hook: `chat-cutover/react`. React is a peer dependency. */

export type { Conversation, ConversationEntry } from '../client/conversation.js'
export { type ChatCutover, type ChatCutoverOptions, useChatCutover } from './use-chat-cutover.js'
