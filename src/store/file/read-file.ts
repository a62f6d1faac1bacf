import { errorCode } from '../../core/errors.js'
import { readFileBytes } from '../../core/files/read-file.js'
import { hashOf } from '../content.js'
import type { Stored } from '../flag-store.js'
import { flagStoreFault, type StoreNames } from '../store-fault.js'

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
