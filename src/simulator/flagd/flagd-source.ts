import { z } from 'zod'
import { isRecord, type JsonRecord } from './flagd-struct.js'

/** One flag as flagd keeps it: references resolved, the flag set's metadata beneath the flag's own. */
export interface SourceFlag {
  /** as written, also when it is none of flagd's two states */
  readonly state: string
  /** `''`: none, the caller's code default decides */
  readonly defaultVariant: string
  /** `null`: none; the in-process provider then refuses all flags of all sources */
  readonly variants: JsonRecord | null
  readonly targeting?: unknown
  readonly metadata: JsonRecord
}

/** What one file holds, or why the daemon keeps the flags it had from it. */
export type SourceContent =
  | { readonly accepted: true; readonly flags: ReadonlyMap<string, SourceFlag> }
  | { readonly accepted: false; readonly reason: string }

const jsonRecord = z.record(z.string(), z.json())
const absent = <T extends z.ZodType>(schema: T) => schema.nullish()

// What Go's decoder takes: a field may be absent or null, but never of another type.
const flagSchema = z.object({
  key: absent(z.string()),
  state: absent(z.string()),
  defaultVariant: absent(z.string()),
  variants: absent(jsonRecord),
  targeting: z.json().optional(),
  metadata: absent(jsonRecord),
})

const documentSchema = z.object({
  $evaluators: absent(z.record(z.string(), z.json())),
  metadata: absent(jsonRecord),
  // `null` wipes the source like `{}` does; a missing key does not
  flags: z.union([z.record(z.string(), flagSchema.nullable()), z.array(flagSchema.nullable()), z.null()]),
})

type RawFlag = z.infer<typeof flagSchema> | null

/**
 * Reads the text of one flag file as flagd 0.16 does. Strict JSON: empty, torn, with a BOM, without `flags` or with
 * a `defaultVariant` that is no variant, the whole text is refused. States and targeting are not looked at.
 */
export function parseSource(text: string): SourceContent {
  const json = parseJson(text)
  if (json === undefined) return refused(text.trim() === '' ? 'the file is empty' : 'not valid JSON')
  if (!isRecord(json) || json.flags === undefined) return refused('no "flags" in it')
  const emptyEvaluator = Object.entries(isRecord(json.$evaluators) ? json.$evaluators : {}).find(
    isEmptyEvaluator,
  )
  if (emptyEvaluator !== undefined) return refused(`evaluator "${emptyEvaluator[0]}" is empty`)
  const document = documentSchema.safeParse(resolveReferences(json))
  if (!document.success) return refused(`wrong type: ${where(document.error)}`)
  return toFlags(document.data.flags, document.data.metadata ?? {})
}

const refused = (reason: string): SourceContent => ({ accepted: false, reason })

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// flagd's own test: shorter than three characters of JSON
const isEmptyEvaluator = ([, rule]: [string, unknown]) => (JSON.stringify(rule)?.length ?? 0) < 3

/** `{"$ref": name}` gives way to the evaluator of that name, by text and within the source, as in flagd. */
function resolveReferences(json: Record<string, unknown>): unknown {
  let text = JSON.stringify(json)
  for (const [name, rule] of Object.entries(isRecord(json.$evaluators) ? json.$evaluators : {})) {
    text = text.split(`{"$ref":${JSON.stringify(name)}}`).join(JSON.stringify(rule))
  }
  return JSON.parse(text)
}

function where(error: z.ZodError): string {
  const issue = error.issues[0]
  const nested = issue?.code === 'invalid_union' ? issue.errors.flat().at(0) : undefined
  return [...(issue?.path ?? []), ...(nested?.path ?? [])].join('.')
}

function toFlags(raw: Record<string, RawFlag> | RawFlag[] | null, setMetadata: JsonRecord): SourceContent {
  const flags = new Map<string, SourceFlag>()
  for (const [key, flag] of keyed(raw)) {
    const parsed = toFlag(flag, setMetadata)
    if (parsed.defaultVariant !== '' && !Object.hasOwn(parsed.variants ?? {}, parsed.defaultVariant)) {
      return refused(`default variant '${parsed.defaultVariant}' isn't a valid variant of flag '${key}'`)
    }
    flags.set(key, parsed)
  }
  return { accepted: true, flags }
}

function keyed(raw: Record<string, RawFlag> | RawFlag[] | null): [string, RawFlag][] {
  if (Array.isArray(raw)) return raw.map((flag) => [flag?.key ?? '', flag])
  return Object.entries(raw ?? {})
}

function toFlag(flag: RawFlag, setMetadata: JsonRecord): SourceFlag {
  return {
    state: flag?.state ?? '',
    defaultVariant: flag?.defaultVariant ?? '',
    variants: flag?.variants ?? null,
    ...(flag?.targeting === undefined ? {} : { targeting: flag.targeting }),
    metadata: { ...setMetadata, ...flag?.metadata },
  }
}
