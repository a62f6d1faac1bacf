import type { OpsFile } from '../flag-store.js'
import { OPS_NAMES } from '../store-fault.js'
import { createFileFlagStore, type FileFlagStoreOptions } from './file-flag-store.js'

/**
 * The operators' file at `path` (CHAT_FLAGS_FILE), written as the override is: whole or not at all, under a lock beside it,
 * and only in place of what was read. Symbolic links are followed, mode and owner stay.
 */
export function createOpsFile(path: string, options: Omit<FileFlagStoreOptions, 'names'>): OpsFile {
  return createFileFlagStore(path, { ...options, names: OPS_NAMES })
}
