import { hashOf, isExpected, MAX_WRITTEN_BYTES, storedText } from '../content.js'
import type { Expected, FlagStore, FlagStoreFault, Stored, WriteResult } from '../flag-store.js'
import { flagStoreClosed, tooLargeToWrite } from '../store-fault.js'

/** Both files in memory, shared by the stores made over them; a test writes into them as a person would. */
export interface MemoryFiles {
  override: string | undefined
  lease: string | undefined
  /** what writes with `keepAside` replaced, oldest first */
  readonly keptAside: string[]
}

export function createMemoryFiles(override?: string): MemoryFiles {
  return { override, lease: undefined, keptAside: [] }
}

export interface MemoryFlagStoreOptions {
  /** Asked before each call; a fault is its answer (a partition, a full disk). */
  readonly fault?: (call: 'read' | 'write', file: 'override' | 'lease') => FlagStoreFault | undefined
}

/** The twin of the file store, for tests and simulations: the same answers, no time in between. */
export function createMemoryFlagStore(files: MemoryFiles, options: MemoryFlagStoreOptions = {}): FlagStore {
  let isClosed = false
  const faultOf = (call: 'read' | 'write', file: 'override' | 'lease'): FlagStoreFault | undefined =>
    isClosed ? flagStoreClosed('memory') : options.fault?.(call, file)

  const read = (file: 'override' | 'lease'): Stored => {
    const fault = faultOf('read', file)
    return fault === undefined ? storedText(files[file]) : { kind: 'failed', fault }
  }
  const write = (
    file: 'override' | 'lease',
    text: string,
    expected: Expected,
    keepAside: boolean,
  ): WriteResult => {
    const fault = faultOf('write', file)
    if (fault !== undefined) return { kind: 'failed', fault }
    if (Buffer.byteLength(text) > MAX_WRITTEN_BYTES)
      return { kind: 'failed', fault: tooLargeToWrite('memory', MAX_WRITTEN_BYTES) }
    const present = storedText(files[file])
    if (!isExpected(present, expected)) return { kind: 'conflict', stored: present }
    files[file] = text
    if (!keepAside || present.kind !== 'text') return { kind: 'written', hash: hashOf(text) }
    files.keptAside.push(present.text)
    return { kind: 'written', hash: hashOf(text), aside: `unreadable-${files.keptAside.length}` }
  }
  return {
    read: async () => read('override'),
    write: async (text, expected, { keepAside = false } = {}) => write('override', text, expected, keepAside),
    readLease: async () => read('lease'),
    writeLease: async (text, expected) => write('lease', text, expected, false),
    close: async () => {
      isClosed = true
    },
  }
}
