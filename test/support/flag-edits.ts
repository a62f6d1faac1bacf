import { hash } from 'node:crypto'
import type { FlagEditRecord } from '../../src/protocol/flag-edit-record.js'
import type { OpsFile } from '../../src/store/flag-store.js'

export function sampleEdit(overrides: Partial<FlagEditRecord> = {}): FlagEditRecord {
  return {
    at: Date.UTC(2026, 0, 1),
    replica: 'replica-a',
    userId: 'user-7',
    orgId: 'org-7',
    changes: [
      { path: 'flags.chat-execution-mode.defaultVariant', before: null, after: 'direct_llm' },
      { path: '$evaluators.runtime-enabled-orgs.in.1', added: ['acme'], removed: [] },
    ],
    fromContent: 'a'.repeat(64),
    toContent: 'b'.repeat(64),
    ...overrides,
  }
}

/** An operators' file of nobody else's. `onWritten` is called a moment after each write. */
export function opsFileInMemory(
  content: string,
  onWritten: () => void = () => undefined,
): Pick<OpsFile, 'read' | 'write'> {
  let text = content
  const stored = () => ({ kind: 'text', text, hash: hash('sha256', text) }) as const
  return {
    read: async () => stored(),
    async write(next, expected) {
      if (expected !== stored().hash) return { kind: 'conflict', stored: stored() }
      text = next
      setImmediate(onWritten)
      return { kind: 'written', hash: stored().hash }
    },
  }
}
