import type { NewTurn, PastTurn, SessionOwner, TurnEnd } from './session-store.js'
import type { TurnRecord } from './session-view.js'

/** A turn of this process as memory has it, and how much of it the database has. Times in wall ms. */
export interface LocalTurn {
  readonly turn: NewTurn
  /** undefined: the database could not be asked, and this process has not met the session before */
  readonly agentId: string | undefined
  readonly startedAt: number
  /** the answer so far */
  text: string
  end: TurnEnd | undefined
  endedAt: number | undefined
  stopRequested: boolean
  released: boolean
  /** given up: the database will never have it */
  isLost: boolean
  /** what the database has: the turn, its end, its release */
  isKept: boolean
  isEndKept: boolean
  isReleaseKept: boolean
}

export function localTurn(
  turn: NewTurn,
  agentId: string | undefined,
  startedAt: number,
  isKept: boolean,
): LocalTurn {
  return {
    turn,
    agentId,
    startedAt,
    text: '',
    end: undefined,
    endedAt: undefined,
    stopRequested: false,
    released: false,
    isLost: false,
    isKept,
    isEndKept: false,
    isReleaseKept: false,
  }
}

/** What has to be written of it next. */
export type Needed = 'turn' | 'end' | 'release' | 'nothing'

export function needed({ isLost, isKept, end, isEndKept, released, isReleaseKept }: LocalTurn): Needed {
  if (isLost) return 'nothing'
  if (!isKept) return 'turn'
  if (end !== undefined && !isEndKept) return 'end'
  return released && !isReleaseKept ? 'release' : 'nothing'
}

/** UTF-16 code units it takes of the memory. */
export const sizeOf = ({ turn, text, end }: LocalTurn): number =>
  turn.message.length + Math.max(text.length, end?.text.length ?? 0) + (end?.trace?.length ?? 0)

export const isOwners = (of: { readonly owner: SessionOwner }, owner: SessionOwner): boolean =>
  of.owner.orgId === owner.orgId && of.owner.userId === owner.userId

export const pastTurn = ({ turn, text, end }: LocalTurn): PastTurn => ({
  message: turn.message,
  text: end?.text ?? text,
})

export function turnRecordOf({ turn, text, end, startedAt, endedAt }: LocalTurn): TurnRecord {
  return {
    messageId: turn.messageId,
    message: turn.message,
    text: end?.text ?? text,
    startedAt,
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(end === undefined ? {} : { status: end.status, executionMode: end.executionMode }),
    ...(end?.finishReason === undefined ? {} : { finishReason: end.finishReason }),
    ...(end?.trace === undefined ? {} : { trace: end.trace }),
  }
}
