import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { objectFormText } from '../../core/json/flag-list.js'
import { parsedJson } from '../../core/json/parsed-json.js'
import type { KubernetesObject } from './kubernetes-api.js'

/** A FeatureFlag holds flags as a structure; the text as it was written is beside them, so that no byte and no comment of it is lost. */
export const TEXT_ANNOTATION = 'chat-cutover/text'
export const ASIDE_ANNOTATION = 'chat-cutover/kept-aside'
/** bytes: an object has at most 256 KiB of annotations, and `kubectl apply` keeps a copy of the whole object as one of them */
export const MAX_TEXT_BYTES = 100 * 1024
const MAX_ASIDE_BYTES = 50 * 1024
const KEPT_ASIDE = 5

const jsonObject = z.record(z.string(), z.unknown())
const documentSchema = z.looseObject({ flags: z.record(z.string(), jsonObject) })
type FlagSpec = z.infer<typeof documentSchema>

/**
 * `spec.flagSpec` of a text; undefined where it is no flag document. The schema of the object knows no `$schema`, and wants a text as
 * `defaultVariant`: flagd takes "" as it takes null. Pure.
 */
export function flagSpecOf(text: string): FlagSpec | undefined {
  const parsed = documentSchema.safeParse(parsedJson(objectFormText(text)))
  if (!parsed.success) return undefined
  const { $schema, flags, ...rest } = parsed.data
  return {
    ...rest,
    flags: mapFlags(flags, (flag) => ({ ...flag, defaultVariant: flag.defaultVariant ?? '' })),
  }
}

/** The text that an object stands for: as written, unless somebody has edited the flags since. Pure. */
export function textOfFeatureFlag({ metadata, spec }: KubernetesObject): string {
  const written = metadata.annotations?.[TEXT_ANNOTATION]
  const parsed = documentSchema.safeParse(spec?.flagSpec)
  const present: FlagSpec = parsed.success ? parsed.data : { flags: {} }
  if (written !== undefined && isSame(flagSpecOf(written), present)) return written
  return renderedText(present)
}

/** As a person sees it who edits the flags in the object. Pure; the order of keys is always the same. */
export function renderedText(spec: FlagSpec): string {
  const flags = mapFlags(spec.flags, (flag) => ({
    ...flag,
    defaultVariant: flag.defaultVariant === '' ? null : flag.defaultVariant,
  }))
  return `${JSON.stringify(sorted({ ...spec, flags }), null, 2)}\n`
}

/** What the schema of the object knows; it drops all else, without a word. */
const DOCUMENT_FIELDS = ['flags', '$evaluators', 'metadata']
const FLAG_FIELDS = ['state', 'variants', 'defaultVariant', 'targeting', 'metadata']

/**
 * Whether the object holds the flags of the text as far as its schema lets it: fields that it does not know are gone, `null` where it
 * wants an object too, and with an older operator all metadata (then what is there tells nothing of it).
 */
function isSame(written: FlagSpec | undefined, present: FlagSpec): boolean {
  if (written === undefined) return false
  if (isDeepStrictEqual(written, present)) return true
  const hasMetadata = 'metadata' in present || Object.values(present.flags).some((flag) => 'metadata' in flag)
  const isKnown = (fields: readonly string[]) => (field: string) =>
    fields.includes(field) && (hasMetadata || field !== 'metadata')
  // As it was sent: -0 is 0 there.
  const { flags, ...rest } = documentSchema.parse(JSON.parse(JSON.stringify(written)))
  const { flags: presentFlags, ...presentRest } = present
  const ofFlag = isKnown(FLAG_FIELDS)
  return (
    isLeftOf(rest, presentRest, isKnown(DOCUMENT_FIELDS)) &&
    Object.keys(presentFlags).every((key) => Object.hasOwn(flags, key)) &&
    Object.entries(flags).every(([key, flag]) => {
      const found = Object.hasOwn(presentFlags, key) ? presentFlags[key] : undefined
      return found !== undefined && isLeftOf(flag, found, ofFlag)
    })
  )
}

/** Whether all that is present is as it was sent, and what is missing is nothing that had to stay. */
function isLeftOf(
  sent: Record<string, unknown>,
  present: Record<string, unknown>,
  isKnown: (field: string) => boolean,
): boolean {
  return (
    Object.entries(present).every(([field, value]) => isDeepStrictEqual(sent[field], value)) &&
    Object.entries(sent).every(
      ([field, value]) => Object.hasOwn(present, field) || value === null || !isKnown(field),
    )
  )
}

/** The copies kept aside with one more; undefined where it is too large to keep. */
export function withAside(
  { metadata }: KubernetesObject,
  copy: { readonly name: string; readonly text: string },
): string | undefined {
  const present = asidesSchema.safeParse(parsedJson(metadata.annotations?.[ASIDE_ANNOTATION] ?? '[]'))
  let copies = [...(present.success ? present.data : []), copy].slice(-KEPT_ASIDE)
  while (copies.length > 0 && Buffer.byteLength(JSON.stringify(copies)) > MAX_ASIDE_BYTES)
    copies = copies.slice(1)
  return copies.length === 0 ? undefined : JSON.stringify(copies)
}

const asidesSchema = z.array(z.object({ name: z.string(), text: z.string() }))

const mapFlags = (
  flags: FlagSpec['flags'],
  change: (flag: Record<string, unknown>) => Record<string, unknown>,
): FlagSpec['flags'] => Object.fromEntries(Object.entries(flags).map(([key, flag]) => [key, change(flag)]))

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]))
}
