import type { Failover, MessageBody } from '../protocol/events.js'
import type { AbortCode, ExecutionErrorCode, ExecutionPhase } from '../protocol/execution-codes.js'
import type { ExecutionMode } from '../protocol/modes.js'
import type { AnswerFacts, Usage } from './backend.js'
import type { ExecutionErrorDetails } from './execution-error.js'

/**
 * Put into `AbortController.abort(reason)` by the code that gives a turn up.
 * `stopped` ends the stream with `done`, `shutting_down` with `error`; the others have no reader left.
 */
export class TurnAborted extends Error {
  override readonly name = 'TurnAborted'

  /** @param unreadMs for so long there has been no reader: its user left that long ago */
  constructor(
    readonly code: AbortCode,
    readonly unreadMs = 0,
  ) {
    super(code)
  }
}

/** What closes the plan steps and calls that the client still sees as open; it goes before the terminal event. */
export type Closing = readonly MessageBody[]

/** How a turn ended, once and for all; the terminal event is made from it. `executionMode` is who answered. */
export type TurnResult =
  | {
      readonly kind: 'answered'
      readonly executionMode: ExecutionMode
      readonly usage: Usage
      /** of the execution that answered; `attempts` of all executions of the turn */
      readonly facts?: AnswerFacts
      readonly failover?: Failover
    }
  | {
      readonly kind: 'failed'
      readonly executionMode: ExecutionMode
      readonly code: ExecutionErrorCode
      readonly phase: ExecutionPhase
      readonly details: ExecutionErrorDetails
      readonly closing?: Closing
      readonly failover?: Failover
      /** the runtime's failure, when both backends failed */
      readonly runtime?: { readonly code: ExecutionErrorCode; readonly phase: ExecutionPhase }
    }
  | {
      readonly kind: 'aborted'
      readonly executionMode: ExecutionMode
      readonly code: AbortCode
      readonly closing?: Closing
      readonly usage: Usage
      /** of the execution that answered; `attempts` of all executions of the turn */
      readonly facts?: AnswerFacts
      readonly failover?: Failover
    }
