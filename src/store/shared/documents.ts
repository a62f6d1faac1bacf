import type { Expected, FlagStoreFault, Stored, WriteResult } from '../flag-store.js'
import type { StoreAction } from '../store-fault.js'

/** What an engine keeps: two flag documents, and the leases of the loops that write the first. */
export const DOCUMENT_NAMES = ['override', 'ops', 'override-lease', 'rollout-lease'] as const
export type DocumentName = (typeof DOCUMENT_NAMES)[number]

export interface DocumentWrite {
  readonly text: string
  readonly expected: Expected
  /** what is replaced is kept as a copy */
  readonly keepAside: boolean
}

/**
 * Documents that many machines share, in an engine with compare-and-set. Calls may reject, and may take as long as the
 * engine does: the stores over them turn both into values.
 */
export interface SharedDocuments {
  /** what messages call a document: the engine's address without credentials, and the name within it */
  nameOf(name: DocumentName): string
  read(name: DocumentName): Promise<Stored>
  write(name: DocumentName, write: DocumentWrite): Promise<WriteResult>
  /** The fault for anything that a call rejected with. */
  faultOf(thrown: unknown, action: StoreAction, name: DocumentName): FlagStoreFault
  /** Calls back when the document may have changed; some changes may be missed. Returns how to stop it. */
  watch(name: DocumentName, onChange: () => void): () => void
  /** Ends every connection. Calls fail from now on. */
  close(): Promise<void>
}
