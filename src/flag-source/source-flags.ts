import { isDeepStrictEqual } from 'node:util'
import type { FeatureFlag } from '@openfeature/flagd-core'
import { z } from 'zod'
import { objectFormText } from '../core/json/flag-list.js'
import { loadFlags } from '../decision/check/flag-source.js'
import type { FlagFileKind } from '../decision/flags.js'
import type { FlagFileContent } from '../decision/read-flag-file.js'

const jsonObject = z.record(z.string(), z.unknown())
type JsonObject = z.infer<typeof jsonObject>

const documentSchema = z.looseObject({
  flags: z.record(z.string(), jsonObject),
  $evaluators: jsonObject.optional(),
  metadata: jsonObject.optional(),
})

/** The flags of one document as flagd gets them: the last good ones. Immutable. */
export interface SourceFlags {
  /** looked at, and it had flags, or there was none: nothing is missing that could come yet */
  readonly isKnown: boolean
  /** by key, with the metadata of their document in their own */
  readonly flags: ReadonlyMap<string, JsonObject>
  readonly evaluators: Readonly<JsonObject>
  readonly compiled: ReadonlyMap<string, FeatureFlag>
}

export const NO_FLAGS: SourceFlags = { isKnown: false, flags: new Map(), evaluators: {}, compiled: new Map() }

/**
 * Takes a content over as the service itself does: a refused one changes nothing, and a refused flag keeps its last good
 * text. flagd or its provider would refuse the whole of it. Undefined where the content is refused. Pure.
 */
export function takeContent(
  content: FlagFileContent,
  kind: FlagFileKind,
  last: SourceFlags,
): SourceFlags | undefined {
  // What is deleted stays in force; what never was cannot be waited for.
  if (content.kind === 'missing') return { ...last, isKnown: true }
  const loaded = loadFlags(content, kind, last.compiled)
  if (loaded.kind === 'refused' || content.kind !== 'text') return undefined
  const document = documentSchema.parse(JSON.parse(objectFormText(content.text)))
  const flags = new Map<string, JsonObject>()
  for (const key of loaded.flags.keys()) {
    const present = document.flags[key]
    const flag =
      loaded.refusedFlags.has(key) || present === undefined
        ? last.flags.get(key)
        : withMetadata(present, document.metadata)
    if (flag !== undefined) flags.set(key, flag)
  }
  return { isKnown: true, flags, evaluators: document.$evaluators ?? {}, compiled: loaded.flags }
}

/** Two documents become one: what one of them says of all its flags is said of each. */
function withMetadata(flag: JsonObject, ofDocument: JsonObject | undefined): JsonObject {
  if (ofDocument === undefined) return flag
  const own = jsonObject.safeParse(flag.metadata)
  return { ...flag, metadata: { ...ofDocument, ...(own.success ? own.data : {}) } }
}

/**
 * One configuration of both documents, as flagd takes it; undefined while it would lack flags that are only not read yet,
 * for flagd would drop them. Pure.
 */
export function configurationOf(ops: SourceFlags, override: SourceFlags): string | undefined {
  if (!ops.isKnown || !override.isKnown) return undefined
  if (ops.flags.size + override.flags.size === 0) return undefined
  const renamed = renamedEvaluators(ops.evaluators, override.evaluators)
  const theirs = Object.entries(override.evaluators).map(([name, rule]) => [renamed.get(name) ?? name, rule])
  const rename = (value: unknown) => withReferences(value, renamed)
  return JSON.stringify({
    $evaluators: { ...ops.evaluators, ...Object.fromEntries(theirs) },
    flags: Object.fromEntries([
      ...ops.flags,
      ...[...override.flags].map(([key, flag]) => [key, rename(flag)] as const),
    ]),
  })
}

/** Evaluators of the override whose name means something else in the operators' document. */
function renamedEvaluators(ops: JsonObject, override: JsonObject): ReadonlyMap<string, string> {
  const clashing = Object.keys(override).filter(
    (name) => name in ops && !isDeepStrictEqual(ops[name], override[name]),
  )
  return new Map(clashing.map((name) => [name, `override:${name}`]))
}

function withReferences(value: unknown, renamed: ReadonlyMap<string, string>): unknown {
  if (renamed.size === 0 || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => withReferences(item, renamed))
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === '$ref' && typeof item === 'string'
        ? (renamed.get(item) ?? item)
        : withReferences(item, renamed),
    ]),
  )
}
