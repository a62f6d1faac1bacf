import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { errorCode } from '../core/errors.js'
import type { ContentHash, Stored } from './flag-store.js'
import { FlagStoreFailure, flagStoreFault, tooLarge } from './store-fault.js'

/** what flagd sends in one message at most; a real document is a thousandth of it */
export const MAX_FILE_BYTES = 4 * 1024 * 1024
/** what is written at most: what could not be read again could never be replaced, and the operators' flags go along */
export const MAX_WRITTEN_BYTES = 1024 * 1024

export function hashOf(content: string | Uint8Array): ContentHash {
  return createHash('sha256').update(content).digest('hex')
}

/** The whole content of a file; a fault is a value. */
export async function readStored(path: string): Promise<Stored> {
  try {
    const bytes = await readBytes(path)
    return { kind: 'text', text: bytes.toString('utf8'), hash: hashOf(bytes) }
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return { kind: 'missing' }
    return { kind: 'failed', fault: flagStoreFault(thrown, 'read', path) }
  }
}

async function readBytes(path: string): Promise<Buffer> {
  // Without waiting: opening a pipe that nobody writes to would hang.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const found = await file.stat()
    if (!found.isFile()) throw Object.assign(new Error('not a file'), { code: 'EISDIR' })
    if (found.size > MAX_FILE_BYTES) throw new FlagStoreFailure(tooLarge(path, MAX_FILE_BYTES))
    return await readBounded(file, path, found.size)
  } finally {
    await file.close()
  }
}

/** It may grow while it is read; the last piece is one that stays open at its expected end. */
async function readBounded(file: FileHandle, path: string, size: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let total = 0
  for (;;) {
    const piece = Buffer.alloc(size + 1)
    const { bytesRead } = await file.read(piece, 0, piece.length)
    total += bytesRead
    if (total > MAX_FILE_BYTES) throw new FlagStoreFailure(tooLarge(path, MAX_FILE_BYTES))
    pieces.push(piece.subarray(0, bytesRead))
    const isWhole = total >= size && bytesRead < piece.length
    if (bytesRead === 0 || isWhole) return Buffer.concat(pieces)
  }
}
