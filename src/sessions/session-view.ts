import { type SessionView, type TurnStatus, turnStatusSchema } from '../protocol/api.js'
import { type FinishReason, finishReasonSchema } from '../protocol/events.js'
import { type ExecutionMode, executionModeSchema } from '../protocol/modes.js'
import {
  type DataScope,
  type SessionOwner,
  type SessionPlace,
  type SessionSummary,
  TITLE_CHARACTERS,
  type TraceReader,
} from './session-store.js'

/** A session as it is kept; times in wall ms. */
export interface SessionRecord {
  readonly sessionId: string
  readonly agentId: string
  readonly createdAt: number
}

/** A turn as it is kept; times in wall ms. */
export interface TurnRecord {
  readonly messageId: string
  readonly message: string
  /** the answer's text, also a partial one */
  readonly text: string
  /** the end its own replica told; absent before that and for ever after a kill */
  readonly status?: Exclude<TurnStatus, 'running'>
  readonly executionMode?: ExecutionMode
  readonly finishReason?: FinishReason
  readonly trace?: string
  readonly startedAt: number
  readonly endedAt?: number
}

/** Whether a reader may see the traces of its session. */
export const maySee = ({ orgId, userId }: TraceReader, owner: SessionOwner): boolean =>
  orgId === owner.orgId && (userId === undefined || userId === owner.userId)

/** Whether the sessions of an owner are asked for. */
export const isInScope = ({ orgId, userId }: DataScope, owner: SessionOwner): boolean =>
  (orgId === undefined || orgId === owner.orgId) && (userId === undefined || userId === owner.userId)

/**
 * What the owner of a session gets to see.
 * @param liveMessageId the turn that holds an unexpired reservation: without an end of its own it is `running`, any other
 * one `aborted`. So a killed replica's turn needs no later write to be told right.
 */
export function sessionView(
  session: SessionRecord,
  turns: readonly TurnRecord[],
  liveMessageId: string | undefined,
): SessionView {
  return {
    sessionId: session.sessionId,
    agentId: session.agentId,
    createdAt: isoTime(session.createdAt),
    updatedAt: isoTime(turns.reduce(lastChange, session.createdAt)),
    messages: turns.flatMap((turn) => turnMessages(turn, turn.messageId === liveMessageId)),
  }
}

function lastChange(latest: number, { startedAt, endedAt }: TurnRecord): number {
  return Math.max(latest, endedAt ?? startedAt)
}

function turnMessages(turn: TurnRecord, live: boolean): SessionView['messages'] {
  const createdAt = isoTime(turn.startedAt)
  return [
    { id: `${turn.messageId}-user`, role: 'user', content: turn.message, createdAt },
    {
      id: turn.messageId,
      role: 'assistant',
      content: turn.text,
      status: turn.status ?? (live ? 'running' : 'aborted'),
      ...(turn.executionMode === undefined ? {} : { executionMode: turn.executionMode }),
      ...(turn.finishReason === undefined ? {} : { finishReason: turn.finishReason }),
      createdAt,
    },
  ]
}

const isoTime = (wallMs: number): string => new Date(wallMs).toISOString()

/** @param turns all of the session, oldest first */
export function sessionSummary(session: SessionRecord, turns: readonly TurnRecord[]): SessionSummary {
  const { sessionId, agentId, createdAt } = session
  const newest = turns.at(-1)
  return {
    sessionId,
    agentId,
    createdAt,
    updatedAt: newest?.endedAt ?? newest?.startedAt ?? createdAt,
    turns: turns.length,
    title: titleOf(turns[0]?.message ?? ''),
  }
}

/** The first characters, as SQLite counts them: by code points. */
const titleOf = (message: string): string =>
  [...message.slice(0, 2 * TITLE_CHARACTERS)].slice(0, TITLE_CHARACTERS).join('')

/** Of `[session id, agent id, created, updated, turns, title]`. */
export function summaryRecord([
  sessionId,
  agentId,
  createdAt,
  updatedAt,
  turns,
  title,
]: readonly unknown[]): SessionSummary {
  return {
    sessionId: String(sessionId),
    agentId: String(agentId),
    createdAt: Number(createdAt),
    updatedAt: Number(updatedAt ?? createdAt),
    turns: Number(turns),
    title: String(title ?? ''),
  }
}

/** The place before all sessions there are */
export const NEWEST: SessionPlace = { createdAt: Number.MAX_SAFE_INTEGER, sessionId: '' }

/** Sorts a list: by creation, those of the same ms by their id. */
export function newestFirst(a: SessionPlace, b: SessionPlace): number {
  return b.createdAt - a.createdAt || (a.sessionId < b.sessionId ? 1 : a.sessionId > b.sessionId ? -1 : 0)
}

/** Comes after that place in a list. */
export const isBefore = (session: SessionPlace, place: SessionPlace | undefined): boolean =>
  place === undefined || newestFirst(place, session) < 0

const endStatusSchema = turnStatusSchema.exclude(['running'])

/** Of `[seq, message id, message, text, started, ended, status, mode, finish]`. */
export function turnRecord([
  ,
  messageId,
  message,
  text,
  started,
  ended,
  status,
  mode,
  finish,
]: readonly unknown[]): TurnRecord {
  return {
    messageId: String(messageId),
    message: String(message),
    text: String(text),
    startedAt: Number(started),
    ...(ended === null ? {} : { endedAt: Number(ended) }),
    ...(status === null ? {} : { status: endStatusSchema.parse(status) }),
    ...(mode === null ? {} : { executionMode: executionModeSchema.parse(mode) }),
    ...(finish === null ? {} : { finishReason: finishReasonSchema.parse(finish) }),
  }
}
