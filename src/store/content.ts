import { createHash } from 'node:crypto'
import type { ContentHash, Expected, Stored } from './flag-store.js'

/** what is written at most: what could not be read again could never be replaced, and the operators' flags go along */
export const MAX_WRITTEN_BYTES = 1024 * 1024

export function hashOf(content: string | Uint8Array): ContentHash {
  return createHash('sha256').update(content).digest('hex')
}

/** A text as it is stored; undefined: there is none. */
export function storedText(text: string | undefined): Stored {
  return text === undefined ? { kind: 'missing' } : { kind: 'text', text, hash: hashOf(text) }
}

export function isExpected(stored: Stored, expected: Expected): boolean {
  if (stored.kind === 'failed') return false
  return (stored.kind === 'missing' ? 'missing' : stored.hash) === expected
}
