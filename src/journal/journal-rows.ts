import { z } from 'zod'
import { parsedJson } from '../core/json/parsed-json.js'
import type { SqlValue } from '../core/sqlite/sqlite.js'
import {
  actorSchema,
  fallbackCauseSchema,
  fallbackStateSchema,
  manualScopeSchema,
  transitionKindSchema,
} from '../protocol/fallback.js'
import { SCOPE_DIMENSIONS } from '../protocol/fallback-scope.js'
import { keptChangeSchema } from '../protocol/flag-edit-record.js'
import { rolloutChangeRecordSchema } from '../protocol/rollout.js'
import type { ComparisonContent } from './comparison.js'
import { type EditEntry, given, type SampleEntry, type TransitionEntry } from './entries.js'
import { KINDS } from './facts.js'
import type { EvidenceSample, KeptFlagEdit, KeptRolloutChange, KeptTransition } from './journal.js'

/** Columns of the tables, in the order of the values below; `id` stands before them where rows are read. */
export const TRANSITION_COLUMNS = [
  'at',
  'kind',
  'from_state',
  'to_state',
  'manual_from',
  'manual_to',
  'actor',
  'replica',
  'user',
  'cause',
  'value',
  'threshold',
  'reason',
  'trips',
  'hold_until',
  'recovering_percent',
  'revision',
  'evidence',
  'guardrails',
  'adopted',
  'scope',
  'scope_ids',
] as const
export const SAMPLE_COLUMNS = ['at', 'replica', 'run', 'seq', 'input'] as const
export const CONTENT_COLUMNS = [
  'at',
  'org_id',
  'agent_id',
  'kind',
  'text_similarity',
  'control',
  'candidate',
] as const

export const EDIT_COLUMNS = [
  'at',
  'replica',
  'user',
  'org_id',
  'changes',
  'from_content',
  'to_content',
] as const

export function transitionValues(entry: TransitionEntry): SqlValue[] {
  return [
    entry.at,
    entry.kind ?? null,
    entry.from,
    entry.to,
    entry.manualFrom,
    entry.manualTo,
    entry.actor,
    entry.replica,
    entry.userId ?? null,
    entry.cause ?? null,
    entry.value ?? null,
    entry.threshold ?? null,
    entry.reason ?? null,
    entry.trips,
    entry.holdUntil ?? null,
    entry.recoveringPercent ?? null,
    entry.revision,
    entry.evidence ?? null,
    entry.guardrails ?? null,
    entry.adopted === true ? 1 : null,
    entry.scope?.dimension ?? null,
    entry.scope === undefined ? null : JSON.stringify(entry.scope.ids),
  ]
}

export const sampleValues = (entry: SampleEntry): SqlValue[] => [
  entry.at,
  entry.replica,
  entry.run,
  entry.seq,
  entry.input,
]

export const editValues = (entry: EditEntry): SqlValue[] => [
  entry.at,
  entry.replica,
  entry.userId,
  entry.orgId,
  entry.changes,
  entry.fromContent,
  entry.toContent,
]

export const contentValues = (content: ComparisonContent): SqlValue[] => [
  content.at,
  content.orgId,
  content.agentId,
  content.kind,
  content.textSimilarity ?? null,
  content.control,
  content.candidate,
]

const json = z.string().transform(parsedJson)

const transitionRow = z.tuple([
  z.number(),
  z.number(),
  transitionKindSchema.nullable().catch(null),
  fallbackStateSchema,
  fallbackStateSchema,
  manualScopeSchema,
  manualScopeSchema,
  actorSchema,
  z.string(),
  z.string().nullable(),
  fallbackCauseSchema.nullable(),
  z.number().nullable(),
  z.number().nullable(),
  z.string().nullable(),
  z.number(),
  z.number().nullable(),
  z.number().nullable(),
  z.number(),
  json.nullable(),
  json.nullable(),
  z.number().nullable(),
  z.enum(SCOPE_DIMENSIONS).nullable(),
  json.pipe(z.array(z.string())).nullable(),
])

/** Undefined for a row that this version does not understand: a newer one wrote it. */
export function rowTransition(row: readonly unknown[]): KeptTransition | undefined {
  const parsed = transitionRow.safeParse(row)
  if (!parsed.success) return undefined
  const [id, at, kind, from, to, manualFrom, manualTo, actor, replica, userId, cause, ...rest] = parsed.data
  const [
    value,
    threshold,
    reason,
    trips,
    holdUntil,
    recoveringPercent,
    revision,
    evidence,
    guardrails,
    adopted,
    dimension,
    scopeIds,
  ] = rest
  return {
    id,
    at,
    ...given('kind', kind),
    from,
    to,
    manualFrom,
    manualTo,
    actor,
    replica,
    ...given('userId', userId),
    ...given('cause', cause),
    ...given('value', value),
    ...given('threshold', threshold),
    ...given('reason', reason),
    trips,
    ...given('holdUntil', holdUntil),
    ...given('recoveringPercent', recoveringPercent),
    revision,
    ...given('evidence', evidence),
    ...given('guardrails', guardrails),
    ...(adopted === 1 ? { adopted: true } : {}),
    ...(dimension === null || scopeIds === null ? {} : { scope: { dimension, ids: scopeIds } }),
  }
}

const editRow = z.tuple([
  z.number(),
  z.number(),
  z.string(),
  z.string(),
  z.string(),
  json.pipe(z.array(keptChangeSchema)),
  z.string(),
  z.string(),
])

/** Undefined for a row that this version does not understand: a newer one wrote it. */
export function rowEdit(row: readonly unknown[]): KeptFlagEdit | undefined {
  const parsed = editRow.safeParse(row)
  if (!parsed.success) return undefined
  const [id, at, replica, userId, orgId, changes, fromContent, toContent] = parsed.data
  return { id, at, replica, userId, orgId, changes, fromContent, toContent }
}

const rolloutRow = z.tuple([z.number(), z.number(), json.pipe(rolloutChangeRecordSchema)])

/** Undefined for a row that this version does not understand: a newer one wrote it. */
export function rowRolloutChange(row: readonly unknown[]): KeptRolloutChange | undefined {
  const parsed = rolloutRow.safeParse(row)
  if (!parsed.success) return undefined
  const [id, , record] = parsed.data
  return { id, ...record }
}

const sampleRow = z.tuple([z.number(), z.number(), z.string(), z.string(), z.number(), json])

export function rowSample(row: readonly unknown[]): EvidenceSample | undefined {
  const parsed = sampleRow.safeParse(row)
  if (!parsed.success) return undefined
  const [, at, replica, run, seq, input] = parsed.data
  return { at, replica, run, seq, input }
}

/** Undefined for a row that this version does not understand. */
export function rowContent(row: readonly unknown[]): ComparisonContent | undefined {
  const parsed = contentRow.safeParse(row)
  if (!parsed.success) return undefined
  const [, at, orgId, agentId, kind, textSimilarity, control, candidate] = parsed.data
  return { at, orgId, agentId, kind, ...given('textSimilarity', textSimilarity), control, candidate }
}

const contentRow = z.tuple([
  z.number(),
  z.number(),
  z.string(),
  z.string(),
  z.enum(KINDS),
  z.number().nullable(),
  z.string(),
  z.string(),
])
