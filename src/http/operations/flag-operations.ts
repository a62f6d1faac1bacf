import { z } from 'zod'
import { explainQuerySchema, explanationSchema } from '../../protocol/api.js'
import { historyQuerySchema } from '../../protocol/fallback.js'
import {
  flagEditAnswerSchema,
  flagEditPreviewSchema,
  flagEditQuerySchema,
  flagEditSchema,
  flagsViewSchema,
} from '../../protocol/flag-edit.js'
import { flagEditEntrySchema } from '../../protocol/flag-edit-record.js'
import {
  API,
  AT,
  EARLIER,
  EXAMPLE_EDIT,
  EXAMPLE_ETAG,
  EXAMPLE_FLAG_VALUES,
  EXAMPLE_ORG,
  EXAMPLE_SESSION_ID,
} from './example-values.js'
import { PAGE } from './fallback-operations.js'
import type { Operation } from './operation.js'

const CHANGE = { path: 'flags.chat-runtime-fallback-policy.defaultVariant', before: 'auto', after: 'observe' }
const CHANGED = {
  changes: [CHANGE],
  etag: EXAMPLE_ETAG,
  values: { ...EXAMPLE_FLAG_VALUES, fallbackPolicy: 'observe' },
}

/** The other shape of the answer to an edit: what `dryRun` shows. */
const PREVIEW = {
  dryRun: true,
  ...CHANGED,
  diff: '',
  effect: {
    from: EARLIER,
    to: AT,
    sessions: 120,
    toRuntime: 6,
    toDirect: 0,
    unknown: 0,
    more: false,
    withoutUser: false,
    sentence: 'Of 120 sessions of the last 24 hours 6 would go to the runtime and 0 to the direct LLM',
  },
}

export const FLAG_OPERATIONS: readonly Operation[] = [
  {
    id: 'getFlags',
    method: 'get',
    path: `${API}/runtime/flags`,
    tag: 'flags',
    role: 'operator',
    summary: "The operators' flags: where from, what is wrong, what they say",
    headers: ['Accept-Language', 'If-None-Match'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'The flags; their ETag is what an edit sends as If-Match.',
        headers: ['ETag'],
        data: flagsViewSchema,
        example: {
          resolver: 'file',
          state: 'ready',
          faults: [],
          ops: { file: 'flags/chat.flagd.json', values: EXAMPLE_FLAG_VALUES, fault: null },
          environment: {
            mode: 'direct_llm',
            enabledOrgs: [],
            shadowPercent: 0,
            errorRate: 0.5,
            totalMs: 300_000,
          },
        },
      },
      { status: 304, kind: 'empty', description: 'As If-None-Match has it.', headers: ['ETag'] },
    ],
  },
  {
    id: 'editFlags',
    method: 'patch',
    path: `${API}/runtime/flags`,
    tag: 'flags',
    role: 'operator',
    summary: "Edit the operators' flags",
    description:
      'Writes the file with its formatting kept, and waits up to two seconds until this replica decides by it. A field that is absent stays as it is. With `dryRun=true` nothing is written, If-Match may be left out, and the answer is a FlagEditPreview.',
    query: flagEditQuerySchema,
    parameters: {
      dryRun: { description: 'Show what the edit would change; write nothing.', example: 'true' },
    },
    headers: ['Accept-Language', 'If-Match'],
    body: {
      schema: flagEditSchema,
      required: true,
      examples: {
        policy: { fallbackPolicy: 'observe' },
        canary: { canaryPercent: 5, enabledOrgs: { add: [EXAMPLE_ORG] } },
      },
    },
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'What was changed, or by `dryRun` would be.',
        headers: ['ETag'],
        data: z.union([flagEditAnswerSchema, flagEditPreviewSchema]),
        example: { ...CHANGED, inForce: true, note: '' },
        otherExamples: { dryRun: PREVIEW },
      },
    ],
    problems: [
      'flags_elsewhere',
      'flags_in_provider',
      'flags_changed',
      'flags_refused',
      'flags_if_match',
      'flags_unavailable',
      'reports_overloaded',
      'draining',
    ],
  },
  {
    id: 'listFlagEdits',
    method: 'get',
    path: `${API}/runtime/flags/history`,
    tag: 'flags',
    role: 'operator',
    summary: 'Edits of the flags, newest first',
    query: historyQuerySchema,
    parameters: PAGE,
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'One page; fewer entries than `limit` where it is the last.',
        data: z.array(flagEditEntrySchema),
        example: [{ id: 12, ...EXAMPLE_EDIT, at: EARLIER }],
      },
    ],
    problems: ['journal_unavailable'],
  },
  {
    id: 'explainDecision',
    method: 'get',
    path: `${API}/runtime/explain`,
    tag: 'flags',
    role: 'admin',
    summary: 'The decision a context would get, and why',
    description:
      'What is absent is your own organisation and user, a new session, no agent. Other organisations need CHAT_OPERATOR_ROLE.',
    query: explainQuerySchema,
    parameters: {
      orgId: { description: 'Id of the organisation.', example: EXAMPLE_ORG },
      userId: { description: 'Id of the user.', example: 'user-7' },
      sessionId: {
        description: 'Id of the session: shares of a canary are drawn by it.',
        example: EXAMPLE_SESSION_ID,
      },
      agentId: { description: 'Id of the agent.', example: 'assistant' },
    },
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'The decision, and the flags in the order they are asked.',
        data: explanationSchema,
        example: {
          context: {
            orgId: EXAMPLE_ORG,
            userId: 'user-7',
            agentId: 'assistant',
            sessionId: EXAMPLE_SESSION_ID,
          },
          decision: { mode: 'runtime_orchestrator', reason: 'targeting_match', shadow: false },
          steps: [
            {
              flag: 'chat-execution-mode',
              value: 'runtime_orchestrator',
              reason: 'targeting_match',
              decides: true,
              why: 'A rule of the flag matches this context.',
            },
          ],
        },
      },
    ],
    problems: ['other_org'],
  },
]
