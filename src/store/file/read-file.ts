import { createHash } from 'node:crypto'
import { errorCode } from '../../core/errors.js'
import { readFileBytes } from '../../core/files/read-file.js'
import type { ContentHash, Stored } from '../flag-store.js'
import { flagStoreFault, type StoreNames } from '../store-fault.js'

/** what is written at most: what could not be read again could never be replaced, and the operators' flags go along */
export const MAX_WRITTEN_BYTES = 1024 * 1024

export function hashOf(content: string | Uint8Array): ContentHash {
  return createHash('sha256').update(content).digest('hex')
}

/** The whole content of a file; a fault is a value. */
export async function readStored(path: string, names?: StoreNames): Promise<Stored> {
  try {
    const bytes = await readFileBytes(path)
    return { kind: 'text', text: bytes.toString('utf8'), hash: hashOf(bytes) }
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return { kind: 'missing' }
    return { kind: 'failed', fault: flagStoreFault(thrown, 'read', path, names) }
  }
}
