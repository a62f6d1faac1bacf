import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** what flagd sends in one message at most; a real flag file is a thousandth of it */
export const MAX_FILE_BYTES = 4 * 1024 * 1024

/**
 * The whole content of a file of flags, at most {@link MAX_FILE_BYTES}. May never end on a file system that hangs.
 * @throws the system's error; `EISDIR` for anything but a file, `EFBIG` for one that is too large
 */
export async function readFileBytes(path: string): Promise<Buffer> {
  // Without waiting: opening a pipe that nobody writes to would hang, and the end of the service with it.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const found = await file.stat()
    if (!found.isFile()) throw Object.assign(new Error('not a file'), { code: 'EISDIR' })
    if (found.size > MAX_FILE_BYTES) throw tooLarge()
    return await readBounded(file, found.size)
  } finally {
    await file.close()
  }
}

/** It may grow while it is read; the last piece is one that stays open at its expected end. */
async function readBounded(file: FileHandle, size: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let total = 0
  for (;;) {
    const piece = Buffer.alloc(size + 1)
    const { bytesRead } = await file.read(piece, 0, piece.length)
    total += bytesRead
    if (total > MAX_FILE_BYTES) throw tooLarge()
    pieces.push(piece.subarray(0, bytesRead))
    const isWhole = total >= size && bytesRead < piece.length
    if (bytesRead === 0 || isWhole) return Buffer.concat(pieces)
  }
}

const tooLarge = (): Error =>
  Object.assign(new Error(`larger than ${MAX_FILE_BYTES} bytes`), { code: 'EFBIG' })
