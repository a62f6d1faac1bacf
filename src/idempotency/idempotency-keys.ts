import { hash } from 'node:crypto'

/** ms for which a key stands for its turn: 24 h */
export const KEY_LIFE_MS = 86_400_000

export interface KeyOwner {
  readonly orgId: string
  readonly userId: string
}

/** The turn that a key stands for, from before it begins. */
export interface KeyedTurn {
  /** hash of what was asked for: the same key with another is a mistake of the client */
  readonly bodyHash: string
  readonly sessionId: string
  readonly messageId: string
}

export interface KeptKey extends KeyedTurn {
  /** wall ms */
  readonly createdAt: number
  /** this process reserved it; otherwise another replica did, or the process that was here before a restart */
  readonly isOwn: boolean
}

/**
 * Which turn each `Idempotency-Key` of each user stands for, shared by the replicas of one database, so that a message that is sent again
 * runs no second turn. Bounded in number; no key and no content is kept, only hashes and ids. Without the database the
 * keys of this process still hold within it: nothing here rejects because the database is away.
 */
export interface IdempotencyKeys {
  /** Undefined for a key that was not used in the last 24 h. */
  find(owner: KeyOwner, key: string): Promise<KeptKey | undefined>
  /** Keeps the turn of a key that stands for none yet; else tells for which. In one step, also among replicas. */
  reserve(owner: KeyOwner, key: string, turn: KeyedTurn): Promise<KeptKey | 'reserved'>
  /** The turn with this message id never began: the key stands for none. */
  release(owner: KeyOwner, key: string, messageId: string): Promise<void>
  close(): Promise<void>
}

/** What is kept of a key and its owner. */
export const keyId = ({ orgId, userId }: KeyOwner, key: string): string =>
  hash('sha256', JSON.stringify([orgId, userId, key]), 'base64url')

/** What is kept of a request; `parts` are all that decides what the turn is. */
export const bodyHashOf = (parts: readonly string[]): string =>
  hash('sha256', JSON.stringify(parts), 'base64url')
