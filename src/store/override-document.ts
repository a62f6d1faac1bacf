import { flagChecksum, sameRule } from './checksum.js'
import { type FlagShape, readFlagShape } from './flag-shape.js'
import { booleanFlag, flagdRefusal } from './flagd-check.js'
import { readHandEdit } from './hand-edit.js'
import { type HandEdit, NEUTRAL, type Override } from './override.js'
import {
  flagRule,
  isObject,
  type Json,
  type JsonObject,
  OVERRIDE_FLAG_KEY,
  readCoverage,
} from './override-flag.js'
import { metadataOf, readMetadata, readRevision } from './override-metadata.js'
import { lineAt, parseStrictJson } from './strict-json.js'

export { overrideOfMetadata } from './override-metadata.js'

const SCHEMA = 'https://flagd.dev/schema/v0/flags.json'
const DESCRIPTION = 'The override, written by the service alone. on: the direct LLM answers.'

/** One content of the override's file. */
export type ParsedOverride =
  /** as a replica wrote it, or the template as shipped */
  | { readonly kind: 'override'; readonly override: Override }
  /** as a person wrote it (fallback.md, compare-and-set); `override` is there where they touched texts alone */
  | {
      readonly kind: 'hand_edit'
      readonly edit: HandEdit
      readonly revision?: number
      readonly override?: Override
    }
  /** neither; `detail` is for an operator, with the line */
  | { readonly kind: 'unparsable'; readonly detail: string }

/**
 * The whole text of the override's file. `base` is the present text: its other flags, evaluators and metadata and the
 * flag's description are kept, unless flagd would refuse the document because of them.
 */
export function renderOverride(override: Override, base?: string): string {
  const present = base === undefined ? {} : parsedObject(base)
  const flags = isObject(present.flags) ? present.flags : {}
  const flag = renderFlag(override, descriptionIn(flags[OVERRIDE_FLAG_KEY]))
  const kept = documentText({ ...present, flags: { ...flags, [OVERRIDE_FLAG_KEY]: flag } })
  const isAlone = Object.keys(flags).every((key) => key === OVERRIDE_FLAG_KEY)
  const isPlain = Object.keys(present).every((key) => key === '$schema' || key === 'flags')
  return (isAlone && isPlain) || flagdRefusal(kept) === undefined
    ? kept
    : documentText({ flags: { [OVERRIDE_FLAG_KEY]: flag } })
}

/** Total: any text has an answer, nothing is thrown. */
export function parseOverride(text: string): ParsedOverride {
  const read = readFlagShape(text)
  if (read.kind === 'fault') return { kind: 'unparsable', detail: read.detail }
  const { shape } = read
  const told = readMetadata(shape.metadata, readCoverage(shape.targeting)?.target)
  const checksum = flagChecksum(shape.flag)
  const stored = shape.metadata.checksum
  const override = told !== undefined && tellsTheRule(told, checksum) ? told : undefined
  if (override !== undefined && (stored === checksum || isTemplate(override, stored)))
    return { kind: 'override', override }
  const fault = handFault(text, shape)
  if (fault !== undefined) return { kind: 'unparsable', detail: fault }
  const edit = readHandEdit(shape, told)
  const revision = readRevision(shape.metadata)
  const textsOnly = typeof stored === 'string' && sameRule(stored, checksum)
  return {
    kind: 'hand_edit',
    edit,
    ...(revision === undefined ? {} : { revision }),
    ...(override !== undefined && textsOnly ? { override } : {}),
  }
}

/** What a person wants who put an older document of ours back (its revision is below the highest seen). */
export function handEditOf(override: Override): HandEdit {
  const read = readFlagShape(renderOverride(override))
  return read.kind === 'shape' ? readHandEdit(read.shape, undefined) : { kind: 'reset' }
}

function renderFlag(override: Override, description: string): JsonObject {
  const flag = { ...flagRule(override), metadata: { description, ...metadataOf(override) } } as const
  return { ...flag, metadata: { ...flag.metadata, checksum: flagChecksum(flag) } }
}

function documentText({ $schema, ...rest }: JsonObject): string {
  const document = { $schema: typeof $schema === 'string' ? $schema : SCHEMA, ...rest }
  return `${JSON.stringify(document, null, 2)}\n`
}

function parsedObject(text: string): JsonObject {
  const parsed = parseStrictJson(text)
  return parsed.kind === 'json' && isObject(parsed.value) ? parsed.value : {}
}

function descriptionIn(flag: Json | undefined): string {
  const metadata = isObject(flag) ? flag.metadata : undefined
  const description = isObject(metadata) ? metadata.description : undefined
  return typeof description === 'string' ? description : DESCRIPTION
}

/** Whether metadata and rule still belong together. */
function tellsTheRule(told: Override, checksum: string): boolean {
  return sameRule(flagChecksum({ ...flagRule(told) }), checksum)
}

/** Nobody has written it yet: nothing is in force, and nobody signed it. */
function isTemplate(override: Override, checksum: Json | undefined): boolean {
  const { auto, manual, trips, revision } = override
  return (
    checksum === undefined &&
    revision === NEUTRAL.revision &&
    trips === 0 &&
    auto.state === 'normal' &&
    manual.scope === 'none'
  )
}

/** Somebody, to see that a targeting yields anything at all. */
const ANYBODY = { orgId: 'org', userId: 'user', agentId: 'agent', sessionId: 'session' }

/** Why a person's flag cannot be taken over: as it stands no provider would, or it answers nobody. */
function handFault(text: string, { enabled, targeting }: FlagShape): string | undefined {
  const refusal = flagdRefusal(text)
  if (refusal !== undefined) {
    const path = refusal.pointer.split('/').slice(1).map(pointerPart)
    return `line ${lineAt(text, path)}: flagd refuses it: ${refusal.message}`
  }
  if (!enabled || targeting === undefined || booleanFlag(text, OVERRIDE_FLAG_KEY)(ANYBODY) !== undefined)
    return undefined
  const line = lineAt(text, ['flags', OVERRIDE_FLAG_KEY, 'targeting'])
  return `line ${line}: the targeting fails when it is evaluated, or yields no variant`
}

function pointerPart(part: string): string | number {
  const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
  return /^\d+$/.test(name) ? Number(name) : name
}
