import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { errorCode, errorText } from '../core/errors.js'

/** What a look at the file found. */
export type FlagFileContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable'; readonly message: string }

/** bytes; flagd's sync takes no larger message either */
const MAX_BYTES = 4 * 1024 * 1024

/** Never rejects; may never end on a file system that hangs. */
export async function readFlagFile(path: string): Promise<FlagFileContent> {
  try {
    // Without waiting: opening a pipe that nobody writes to would hang, and the end of the service with it.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      const found = await file.stat()
      if (!found.isFile()) return { kind: 'unreadable', message: 'it is no file' }
      if (found.size > MAX_BYTES) return { kind: 'unreadable', message: `larger than ${MAX_BYTES} bytes` }
      return { kind: 'text', text: await file.readFile('utf8') }
    } finally {
      await file.close()
    }
  } catch (thrown) {
    const code = errorCode(thrown)
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' }
    return { kind: 'unreadable', message: code ?? errorText(thrown) }
  }
}
