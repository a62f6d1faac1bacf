import { hash } from 'node:crypto'
import type { SessionOwner } from '../../sessions/session-store.js'

/** visible ASCII: it becomes flagd's targeting key, and stands in the log */
const SANE = /^[\x21-\x7e]{1,200}$/

/** What a request says of the conversation it belongs to. */
export interface BucketHints {
  /** header `X-Chat-Session-Id`; empty where there is none */
  readonly sessionHeader: string
  /** field `user` */
  readonly user: string | undefined
  /** the first message of a user in the conversation */
  readonly firstMessage: string
}

/**
 * The key by which the flags put a turn on a side. `X-Chat-Session-Id` as it is; else one made of `user`; else one made of the
 * conversation's first message, which stays the same from turn to turn. What people wrote is hashed, with its owner: the key is logged.
 */
export function bucketOf({ sessionHeader, user, firstMessage }: BucketHints, owner: SessionOwner): string {
  if (SANE.test(sessionHeader)) return sessionHeader
  if (sessionHeader !== '') return `session-${digest(sessionHeader, owner)}`
  if (user !== undefined && user !== '') return `user-${digest(user, owner)}`
  return `conversation-${digest(firstMessage, owner)}`
}

/** 64 bits: plenty for buckets. */
function digest(text: string, { orgId, userId }: SessionOwner): string {
  return hash('sha256', JSON.stringify([orgId, userId, text])).slice(0, 16)
}
