import type { DoneEvent, MessageBody } from '../protocol/events.js'
import type { ChatError } from './errors.js'

/** What the agent says and does: `type` tells texts from plans, calls and files. Skip the types that you do not know. */
export type ChatMessage = MessageBody & {
  /** unique within the stream */
  readonly id: string
  /** ISO 8601 UTC */
  readonly timestamp: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** One stream, by which it is resumed where the service offers it. */
export interface StreamPlace {
  readonly streamId: string
  /** of the last event that was seen; 0 before the first */
  readonly lastEventId: number
}

/**
 * What a turn tells, in this order: `open` once, `message` again and again, and one `done` or `failed` at the end, also where
 * nothing was opened. `retry` stands before a wait: for another try of what was not accepted, or for a stream that is resumed.
 */
export type ChatEvent =
  | {
      readonly type: 'open'
      readonly sessionId: string
      readonly streamId: string
      /** the service can go on with this stream on another connection */
      readonly resumable: boolean
    }
  | { readonly type: 'message'; readonly eventId: number; readonly message: ChatMessage }
  | { readonly type: 'retry'; readonly error: ChatError; readonly afterMs: number }
  | { readonly type: 'done'; readonly done: DoneEvent }
  | { readonly type: 'failed'; readonly error: ChatError }

/** The whole of an answered turn. */
export interface Answer {
  readonly text: string
  readonly done: DoneEvent
}
