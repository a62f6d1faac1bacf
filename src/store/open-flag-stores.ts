import type { Clock } from '../core/clock.js'
import { createFileFlagStore } from './file/file-flag-store.js'
import { createOpsFile } from './file/ops-file.js'
import type { FlagStore, OpsFile } from './flag-store.js'
import type { FlagStoreChoice } from './flag-store-choice.js'
import { createDocumentFlagStore, createOpsDocument } from './shared/document-flag-store.js'
import type { SharedDocuments } from './shared/documents.js'
import { type ReadableDocument, readableDocument } from './shared/readable-document.js'

export interface FlagStoreSettings {
  /** absent: files */
  readonly store?: FlagStoreChoice
  /** the operators' flags are in that store too */
  readonly opsInStore?: boolean
  readonly opsFile: string
  readonly overrideFile: string
}

/** The stores of one process, over one connection to their engine. */
export interface FlagStores {
  /** `nonce`: one start of one process */
  fallback(nonce: string): FlagStore
  rollout(nonce: string): FlagStore
  readonly ops: OpsFile
  /** CHAT_FLAGS_FILE, whether or not the operators' flags are there */
  readonly opsFile: OpsFile
  /** what flags are evaluated from in place of files */
  readonly documents: { readonly override?: ReadableDocument; readonly ops?: ReadableDocument }
  /** After all stores are closed. */
  close(): Promise<void>
}

/** Loads the client of the engine that is configured, and of no other. Nothing is connected before the first call. */
export async function openFlagStores(
  settings: FlagStoreSettings,
  clock: Clock,
  nonce: string,
): Promise<FlagStores> {
  const { overrideFile: path } = settings
  const opsFile = createOpsFile(settings.opsFile, { clock, nonce })
  const documents = await openDocuments(settings.store, clock)
  if (documents === undefined)
    return {
      fallback: (each) => createFileFlagStore(path, { clock, nonce: each }),
      rollout: (each) => createFileFlagStore(path, { clock, nonce: each, lease: 'rollout' }),
      ops: opsFile,
      opsFile,
      documents: {},
      close: async () => undefined,
    }
  const ops = settings.opsInStore === true
  return {
    fallback: () => createDocumentFlagStore(documents, { clock, lease: 'override-lease' }),
    rollout: () => createDocumentFlagStore(documents, { clock, lease: 'rollout-lease' }),
    ops: ops ? createOpsDocument(documents, clock) : opsFile,
    opsFile,
    documents: {
      override: readableDocument(documents, 'override', clock),
      ...(ops ? { ops: readableDocument(documents, 'ops', clock) } : {}),
    },
    close: () => documents.close(),
  }
}

async function openDocuments(
  choice: FlagStoreChoice | undefined,
  clock: Clock,
): Promise<SharedDocuments | undefined> {
  switch (choice?.kind) {
    case undefined:
    case 'file':
      return undefined
    case 'postgres': {
      const { createPostgresDocuments } = await import('./postgres/postgres-documents.js')
      return createPostgresDocuments({ url: choice.url, clock })
    }
    case 'kubernetes': {
      const [{ kubernetesAccess }, { createKubernetesDocuments }] = await Promise.all([
        import('./kubernetes/kubernetes-access.js'),
        import('./kubernetes/kubernetes-documents.js'),
      ])
      const { kind: _kind, ...named } = choice
      const access = kubernetesAccess({ ...named, env: process.env })
      return createKubernetesDocuments({ access, clock, ...named })
    }
  }
}
