import type { Clock } from '../../core/clock.js'
import { MAX_WRITTEN_BYTES } from '../content.js'
import type { Expected, FlagStore, FlagStoreFault, OpsFile, Stored, WriteResult } from '../flag-store.js'
import { OPS_NAMES, OVERRIDE_NAMES, tooLargeToWrite } from '../store-fault.js'
import { DocumentCalls } from './document-calls.js'
import type { DocumentName, DocumentWrite, SharedDocuments } from './documents.js'

export type LeaseDocument = Extract<DocumentName, 'override-lease' | 'rollout-lease'>

/** The override and one lease of an engine's documents. Closing it leaves the engine open: other stores share it. */
export function createDocumentFlagStore(
  documents: SharedDocuments,
  { clock, lease }: { readonly clock: Clock; readonly lease: LeaseDocument },
): FlagStore {
  const store = new DocumentStore(documents, clock)
  return {
    read: () => store.read('override'),
    write: (text, expected, { keepAside = false } = {}) =>
      store.write('override', { text, expected, keepAside }),
    readLease: () => store.read(lease),
    writeLease: (text, expected) => store.write(lease, { text, expected, keepAside: false }),
    close: () => store.close(),
  }
}

/** The operators' flags among an engine's documents. */
export function createOpsDocument(documents: SharedDocuments, clock: Clock): OpsFile {
  const store = new DocumentStore(documents, clock)
  return {
    name: documents.nameOf('ops'),
    read: () => store.read('ops'),
    write: (text: string, expected: Expected) => store.write('ops', { text, expected, keepAside: false }),
    close: () => store.close(),
  }
}

/** Reads one document, for those who do not write it. */
export function createReader(
  documents: SharedDocuments,
  name: DocumentName,
  clock: Clock,
): () => Promise<Stored> {
  const store = new DocumentStore(documents, clock)
  return () => store.read(name)
}

class DocumentStore {
  readonly #calls: DocumentCalls

  constructor(
    private readonly documents: SharedDocuments,
    clock: Clock,
  ) {
    this.#calls = new DocumentCalls(documents, clock)
  }

  read(name: DocumentName): Promise<Stored> {
    return this.#calls.run('read', name, () => this.documents.read(name), failed)
  }

  write(name: DocumentName, write: DocumentWrite): Promise<WriteResult> {
    if (Buffer.byteLength(write.text) > MAX_WRITTEN_BYTES) {
      const names = name === 'ops' ? OPS_NAMES : OVERRIDE_NAMES
      return Promise.resolve(failed(tooLargeToWrite(this.documents.nameOf(name), MAX_WRITTEN_BYTES, names)))
    }
    return this.#calls.run<WriteResult>('write', name, () => this.documents.write(name, write), failed)
  }

  close(): Promise<void> {
    return this.#calls.close()
  }
}

const failed = (fault: FlagStoreFault) => ({ kind: 'failed', fault }) as const
