import { ROLLOUT_FLAG_KEY } from '../../protocol/rollout.js'
import { canonicalJson, flagChecksum, sameRule } from '../override/checksum.js'
import { type FlagShape, readFlagShape } from '../override/flag-shape.js'
import { booleanFlag, type EvaluatedSubject, flagdRefusal } from '../override/flagd-check.js'
import { isObject, type Json, type JsonObject } from '../override/override-flag.js'
import { readRevision } from '../override/override-metadata.js'
import { withFlag } from '../override/override-rendering.js'
import { parseStrictJson } from '../override/strict-json.js'
import { NO_ROLLOUT, planOf, type Rollout, type RolloutEdit } from './rollout.js'
import { percentIn, rolloutRule } from './rollout-flag.js'
import { readRolloutMetadata, rolloutMetadata } from './rollout-metadata.js'

const DESCRIPTION =
  'The guarded rollout, written by the service alone. on: the runtime answers, where chat-execution-mode says the direct LLM by default.'

/** What the override's file says of the rollout. */
export type ParsedRollout =
  /** as a replica wrote it, or the template as shipped */
  | { readonly kind: 'rollout'; readonly rollout: Rollout }
  /** as a person wrote it */
  | { readonly kind: 'hand_edit'; readonly edit: RolloutEdit; readonly revision?: number }
  /** the file has no such flag: it was written by an earlier version, or a person took the flag out */
  | { readonly kind: 'absent' }
  /** the file is no flag document */
  | { readonly kind: 'unparsable'; readonly detail: string }

/** Total: any text has an answer, nothing is thrown. */
export function parseRollout(text: string): ParsedRollout {
  const document = parseStrictJson(text)
  if (document.kind === 'fault') return { kind: 'unparsable', detail: document.detail }
  const flags = isObject(document.value) ? document.value.flags : undefined
  if (!isObject(flags)) return { kind: 'unparsable', detail: 'line 1: "flags" must be an object or a list' }
  if (!Object.hasOwn(flags, ROLLOUT_FLAG_KEY)) return { kind: 'absent' }
  const read = readFlagShape(text, ROLLOUT_FLAG_KEY)
  if (read.kind === 'fault') return { kind: 'hand_edit', edit: { kind: 'refused', detail: read.detail } }
  return readShape(read.shape)
}

function readShape(shape: FlagShape): ParsedRollout {
  const checksum = flagChecksum(shape.flag)
  const stored = shape.metadata.checksum
  const told = readRolloutMetadata(shape.metadata)
  const consistent =
    told !== undefined && sameRule(flagChecksum({ ...rolloutRule(told.progress) }), checksum)
      ? told
      : undefined
  if (consistent !== undefined && (stored === checksum || isTemplate(consistent, stored)))
    return { kind: 'rollout', rollout: consistent }
  const revision = readRevision(shape.metadata)
  return {
    kind: 'hand_edit',
    edit:
      consistent === undefined ? readEdit(shape, told) : { kind: 'progress', progress: consistent.progress },
    ...(revision === undefined ? {} : { revision }),
  }
}

/** Nobody has written it yet. */
function isTemplate({ progress, revision }: Rollout, checksum: Json | undefined): boolean {
  return checksum === undefined && revision === NO_ROLLOUT.revision && progress.state === 'none'
}

function readEdit(shape: FlagShape, told: Rollout | undefined): RolloutEdit {
  const isOn = shape.defaultVariant !== undefined && shape.variants[shape.defaultVariant] === true
  if (!shape.enabled || (shape.targeting === undefined && !isOn)) return { kind: 'abort' }
  const plan = told === undefined ? undefined : planOf(told.progress)
  const percent =
    plan === undefined ? undefined : shape.targeting === undefined ? 100 : percentIn(plan, shape.targeting)
  if (plan === undefined || percent === undefined)
    return {
      kind: 'refused',
      detail: 'its targeting is no share of the rollout under way; start one by the API or the command line',
    }
  if (percent === 0) return { kind: 'abort' }
  const stage = plan.stages.indexOf(percent)
  if (stage >= 0) return { kind: 'stage', stage }
  return { kind: 'refused', detail: `${percent}% is none of its stages (${plan.stages.join(', ')})` }
}

/** The whole text of the file. `base` is the present text: its other flags, evaluators and metadata are kept. */
export function renderRollout(rollout: Rollout, base: string): string {
  return withFlag(base, ROLLOUT_FLAG_KEY, rolloutFlag(rollout))
}

function rolloutFlag(rollout: Rollout): JsonObject {
  const flag = {
    ...rolloutRule(rollout.progress),
    metadata: { description: DESCRIPTION, ...rolloutMetadata(rollout) },
  }
  return { ...flag, metadata: { ...flag.metadata, checksum: flagChecksum({ ...flag }) } }
}

/** The rollout's flag alone, as a document. */
export const rolloutDocument = (rollout: Rollout): string =>
  JSON.stringify({ flags: { [ROLLOUT_FLAG_KEY]: rolloutFlag(rollout) } })

/**
 * Whether the rollout puts somebody on the runtime, by flagd-core on our own document: what any provider answers once it
 * has it. Built once for a rollout; an answer takes a few µs.
 */
export function createRolloutEvaluator(rollout: Rollout): (subject: EvaluatedSubject) => boolean {
  const text = rolloutDocument(rollout)
  if (flagdRefusal(text) !== undefined) return () => false
  const evaluate = booleanFlag(text, ROLLOUT_FLAG_KEY)
  return (subject) => evaluate(subject) ?? false
}

/** The same in every part. */
export const isSameRollout = (a: Rollout, b: Rollout): boolean => textOf(a) === textOf(b)

// Through JSON: what is absent is the same as undefined.
const textOf = (rollout: Rollout): string => canonicalJson(JSON.parse(JSON.stringify(rollout)) as Json)
