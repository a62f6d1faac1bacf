import type { Clock } from '../../core/clock.js'
import type { Stored } from '../flag-store.js'
import { createReader } from './document-flag-store.js'
import type { SharedDocuments } from './documents.js'

/** A document as the evaluation of flags reads and watches it, in place of a file. */
export interface ReadableDocument {
  readonly name: string
  read(): Promise<ReadContent>
  watch(onChange: () => void): () => void
}

type ReadContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable'; readonly message: string }

export function readableDocument(
  documents: SharedDocuments,
  name: 'override' | 'ops',
  clock: Clock,
): ReadableDocument {
  const read = createReader(documents, name, clock)
  return {
    name: documents.nameOf(name),
    read: async () => contentOf(await read()),
    watch: (onChange) => documents.watch(name, onChange),
  }
}

function contentOf(stored: Stored): ReadContent {
  return stored.kind === 'failed' ? { kind: 'unreadable', message: stored.fault.message } : stored
}
