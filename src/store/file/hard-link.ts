import { link } from 'node:fs/promises'
import { errorCode } from '../../core/errors.js'

/** codes by which file systems say that they have no hard links, or none of this file */
const UNSUPPORTED = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL', 'EXDEV'])

/** A second name for a file, unless that name is taken. @throws the system's other errors */
export async function hardLink(from: string, to: string): Promise<'linked' | 'exists' | 'unsupported'> {
  try {
    await link(from, to)
    return 'linked'
  } catch (thrown) {
    const code = errorCode(thrown) ?? ''
    if (code === 'EEXIST') return 'exists'
    if (UNSUPPORTED.has(code)) return 'unsupported'
    throw thrown
  }
}
