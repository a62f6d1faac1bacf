import type { RedisLink, RedisReply } from '../../core/redis/redis-link.js'
import type { StreamOwner } from '../stream/stream-log.js'
import type { StreamKeys } from './stream-keys.js'

/** A stream that another replica writes, as its copy in Redis was a moment ago. */
export interface RemoteStream {
  readonly streamId: string
  readonly sessionId: string
  readonly owner: StreamOwner
  /** opens this stream alone; the first response had it in `X-Chat-Stream-Token` */
  readonly token: string
  /** who writes it */
  readonly replica: string
  /** of the newest event; 0 before the first */
  readonly lastId: number
  /** its terminal event is there */
  readonly isOver: boolean
  /** What follows this event is there. */
  canRead(after: number): boolean
}

/** Some whole events. */
export interface RemotePiece {
  readonly text: string
  /** id before its first event, and of its last one */
  readonly before: number
  readonly lastId: number
  readonly end: 'ended' | 'given_up' | undefined
}

/** pieces in one answer */
const MAX_PIECES = 32

/** Undefined where no copy is there. @throws RedisUnavailable, RedisRefused */
export async function findRemote(
  streamId: string,
  link: RedisLink,
  keys: StreamKeys,
): Promise<RemoteStream | undefined> {
  const about = keys.about(streamId)
  const events = keys.events(streamId)
  const [fields, newest, oldest] = await Promise.all([
    link.call(about, 'HGETALL', about),
    link.call(events, 'XREVRANGE', events, '+', '-', 'COUNT', '1'),
    link.call(events, 'XRANGE', events, '-', '+', 'COUNT', '1'),
  ])
  const known = pairsOf(fields)
  const sessionId = known.get('sessionId')
  const replica = known.get('replica')
  if (sessionId === undefined || replica === undefined) return undefined
  const last = piecesOf(newest)[0]
  const keptAfter = piecesOf(oldest)[0]?.before ?? 0
  const isGivenUp = last?.end === 'given_up'
  return {
    streamId,
    sessionId,
    owner: { orgId: known.get('orgId') ?? '', userId: known.get('userId') ?? '' },
    token: known.get('token') ?? '',
    replica,
    lastId: last?.lastId ?? 0,
    isOver: last?.end === 'ended',
    canRead: (after) => !isGivenUp && after >= keptAfter,
  }
}

/** What follows an event, oldest first; `isThere`: the copy was not erased, and its writer lives. */
export async function readRemote(
  { streamId, replica }: Pick<RemoteStream, 'streamId' | 'replica'>,
  after: number,
  link: RedisLink,
  keys: StreamKeys,
): Promise<{ readonly pieces: readonly RemotePiece[]; readonly isKept: boolean; readonly isAlive: boolean }> {
  const about = keys.about(streamId)
  const events = keys.events(streamId)
  const alive = keys.alive(replica)
  const [found, isKept, isAlive] = await Promise.all([
    link.call(events, 'XRANGE', events, `(${after}-0`, '+', 'COUNT', String(MAX_PIECES)),
    link.call(about, 'EXISTS', about),
    link.call(alive, 'EXISTS', alive),
  ])
  return { pieces: piecesOf(found), isKept: isKept === 1, isAlive: isAlive === 1 }
}

/** `[[id, [field, value, …]], …]`; what has another form was not written by us. */
function piecesOf(reply: RedisReply): RemotePiece[] {
  if (!Array.isArray(reply)) return []
  return reply.flatMap((entry: RedisReply) => {
    if (!Array.isArray(entry)) return []
    const [id, fields] = entry
    const lastId = Number.parseInt(String(id), 10)
    const known = pairsOf(fields ?? null)
    const end = known.get('e')
    const before = Number(known.get('b'))
    if (!Number.isSafeInteger(lastId) || !Number.isSafeInteger(before)) return []
    return [
      {
        text: known.get('t') ?? '',
        before,
        lastId,
        end: end === 'ended' || end === 'given_up' ? end : undefined,
      },
    ]
  })
}

function pairsOf(reply: RedisReply): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  if (!Array.isArray(reply)) return pairs
  for (let at = 0; at + 1 < reply.length; at += 2) pairs.set(String(reply[at]), String(reply[at + 1]))
  return pairs
}
