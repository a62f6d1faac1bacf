import type { FlagEditRecord } from '../../src/protocol/flag-edit-record.js'

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
