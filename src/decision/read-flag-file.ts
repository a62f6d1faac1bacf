import { errorCode, errorText } from '../core/errors.js'
import { readFileBytes } from '../core/files/read-file.js'

/** What a look at the file found. */
export type FlagFileContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable'; readonly message: string }

/** Flags that are in no file: a document in a database or in Kubernetes. */
export interface FlagDocument {
  /** as logs, faults and answers call it */
  readonly name: string
  /** Never rejects. */
  read(): Promise<FlagFileContent>
  /** Calls back when it may have changed; some changes may be missed. Returns how to stop it. */
  watch(onChange: () => void): () => void
}

/** Never rejects; may never end on a file system that hangs. */
export async function readFlagFile(path: string): Promise<FlagFileContent> {
  try {
    return { kind: 'text', text: (await readFileBytes(path)).toString('utf8') }
  } catch (thrown) {
    return faultOf(thrown)
  }
}

function faultOf(thrown: unknown): FlagFileContent {
  const code = errorCode(thrown)
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return { kind: 'missing' }
    case 'EISDIR':
      return { kind: 'unreadable', message: 'it is no file' }
    case 'EFBIG':
      return { kind: 'unreadable', message: errorText(thrown) }
    default:
      return { kind: 'unreadable', message: code ?? errorText(thrown) }
  }
}
