import { storableText } from '../core/text.js'
import type { FlagEditRecord } from '../protocol/flag-edit-record.js'
import type { ExecutionMode } from '../protocol/modes.js'
import type { RolloutChangeRecord } from '../protocol/rollout.js'
import type { Comparison, ComparisonContent, DroppedShadow, KeptExecution } from './comparison.js'
import { comparisonFacts, executionFacts, type Facts } from './facts.js'
import type { EvidenceSample, Transition } from './journal.js'

/** characters of one JSON value; a larger one is left out, so that what waits in memory stays bounded */
const MAX_JSON = 65_536
/** the same of a sample: an input may hold the override twice, and one for many orgs is large */
const MAX_SAMPLE_JSON = 2 * MAX_JSON
/** characters of a name or of a person's words (the API takes 500, a file edited by hand may have more) */
const MAX_TEXT = 2_000
/** characters of what one side of a comparison said; a longer one is cut */
const MAX_CONTENT = 16_384

/** Dropped shadows of one minute, ready to be kept; without org and agent: of those that are not told apart. */
export interface DropEntry extends Omit<DroppedShadow, 'orgId' | 'agentId'> {
  readonly orgId: string | null
  readonly agentId: string | null
  readonly turns: number
}

/** A transition ready to be kept: every text storable, evidence and guardrails as JSON text. */
export interface TransitionEntry extends Omit<Transition, 'evidence' | 'guardrails'> {
  readonly evidence?: string
  readonly guardrails?: string
}

/** A sample ready to be kept. */
export interface SampleEntry extends Omit<EvidenceSample, 'input'> {
  readonly input: string
}

/** A comparison ready to be kept: what a query asks for, and the rest as facts. */
export interface ComparisonEntry {
  readonly at: number
  readonly controlMode: ExecutionMode
  readonly orgId: string
  readonly userId?: string
  readonly agentId: string
  readonly replica: string
  readonly facts: Facts
  readonly content?: ComparisonContent
}

/** An execution ready to be kept. */
export interface ExecutionEntry {
  readonly at: number
  readonly orgId: string
  readonly facts: Facts
}

/** An edit of the operators' file ready to be kept, its changes as JSON text. */
export interface EditEntry extends Omit<FlagEditRecord, 'changes'> {
  readonly changes: string
}

/** A change of the rollout ready to be kept: all of it as JSON text. */
export interface RolloutEntry {
  readonly at: number
  readonly record: string
}

/** orgs and agents named where all of them are too much */
const NAMED_IDS = 50

/** Undefined where the instant is none. */
export function rolloutEntry(change: RolloutChangeRecord): RolloutEntry | undefined {
  const at = Math.round(change.at)
  const kept = { ...change, at, reason: text(change.reason), userId: change.userId && text(change.userId) }
  const named = (ids: readonly string[] | null) => (ids === null ? null : ids.slice(0, NAMED_IDS))
  const record =
    jsonText(kept) ?? jsonText({ ...kept, orgIds: named(kept.orgIds), agentIds: named(kept.agentIds) })
  return record === undefined || !Number.isSafeInteger(at) ? undefined : { at, record: storableText(record) }
}

/** Undefined if it is no JSON, or the instant is none. Where all the values are too much, the paths alone are kept. */
export function editEntry(edit: FlagEditRecord): EditEntry | undefined {
  const at = Math.round(edit.at)
  const paths = edit.changes.map(({ path }) => ({ path, long: true }))
  const changes = jsonText(edit.changes) ?? jsonText(paths)
  if (changes === undefined || !Number.isSafeInteger(at)) return undefined
  const { replica, userId, orgId, fromContent, toContent } = edit
  return {
    at,
    replica: text(replica),
    userId: text(userId),
    orgId: text(orgId),
    changes,
    fromContent,
    toContent,
  }
}

/** Evidence that is no JSON, or too much of it, is left out: the transition itself counts for more. */
export function transitionEntry(transition: Transition): TransitionEntry {
  const { evidence, guardrails, userId, reason, value, threshold, holdUntil, scope, ...rest } = transition
  return {
    ...rest,
    at: Math.round(transition.at),
    replica: text(transition.replica),
    ...given('scope', scope && { ...scope, ids: scope.ids.map(text) }),
    ...given('userId', userId === undefined ? undefined : text(userId)),
    ...given('reason', reason === undefined ? undefined : text(reason)),
    ...given('value', Number.isFinite(value) ? value : undefined),
    ...given('threshold', Number.isFinite(threshold) ? threshold : undefined),
    ...given('holdUntil', holdUntil === undefined ? undefined : Math.round(holdUntil)),
    ...given('evidence', jsonText(evidence ?? undefined)),
    ...given('guardrails', jsonText(guardrails ?? undefined)),
  }
}

/** Undefined if the input is no JSON, or too much of it: without its input a sample says nothing. */
export function sampleEntry(sample: EvidenceSample): SampleEntry | undefined {
  const input = jsonText(sample.input, MAX_SAMPLE_JSON)
  if (input === undefined) return undefined
  return {
    at: Math.round(sample.at),
    replica: text(sample.replica),
    run: text(sample.run),
    seq: sample.seq,
    input,
  }
}

/** Undefined if a number is none. */
export function comparisonEntry(comparison: Comparison): ComparisonEntry | undefined {
  const facts = comparisonFacts(comparison)
  const at = Math.round(comparison.at)
  if (facts === undefined || !Number.isSafeInteger(at)) return undefined
  const { kind, content, textSimilarity } = comparison
  const orgId = text(comparison.orgId)
  const agentId = text(comparison.agentId)
  return {
    at,
    controlMode: comparison.control.mode,
    orgId,
    ...given('userId', comparison.userId && text(comparison.userId)),
    agentId,
    replica: text(comparison.replica),
    facts,
    ...(content === undefined
      ? {}
      : {
          content: {
            at,
            orgId,
            agentId,
            kind,
            control: storableText(content.control.slice(0, MAX_CONTENT)),
            candidate: storableText(content.candidate.slice(0, MAX_CONTENT)),
            ...given('textSimilarity', textSimilarity),
          },
        }),
  }
}

/** Undefined if a number is none. */
export function executionEntry(execution: KeptExecution): ExecutionEntry | undefined {
  const facts = executionFacts(execution)
  const at = Math.round(execution.at)
  if (facts === undefined || !Number.isSafeInteger(at)) return undefined
  return { at, orgId: text(execution.orgId), facts }
}

/** One turn, under the beginning of its minute. Undefined if the instant is none. */
export function dropEntry(drop: DroppedShadow, minuteMs: number): DropEntry | undefined {
  const at = Math.floor(drop.at / minuteMs) * minuteMs
  if (!Number.isSafeInteger(at)) return undefined
  return {
    at,
    replica: text(drop.replica),
    orgId: text(drop.orgId),
    agentId: text(drop.agentId),
    controlMode: drop.controlMode,
    reason: text(drop.reason),
    ...given('kind', drop.kind),
    turns: 1,
  }
}

/** `{ [name]: value }`, or nothing if there is none. */
export function given<K extends string, V>(name: K, value: V | null | undefined): { [name in K]?: V } {
  const property: { [name in K]?: V } = {}
  if (value !== null && value !== undefined) property[name] = value
  return property
}

const text = (value: string): string => storableText(value.slice(0, MAX_TEXT))

function jsonText(value: unknown, most = MAX_JSON): string | undefined {
  try {
    const json: string | undefined = JSON.stringify(value)
    return json === undefined || json.length > most ? undefined : json
  } catch {
    return undefined
  }
}
