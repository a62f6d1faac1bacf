import { OVERRIDE_FLAG_KEY } from '../../protocol/fallback.js'
import { flagChecksum } from './checksum.js'
import { flagdRefusal } from './flagd-check.js'
import type { Override } from './override.js'
import { flagRule, isObject, type Json, type JsonObject } from './override-flag.js'
import { metadataOf } from './override-metadata.js'
import { parseStrictJson } from './strict-json.js'

const SCHEMA = 'https://flagd.dev/schema/v0/flags.json'
const DESCRIPTION = 'The override, written by the service alone. on: the direct LLM answers.'

/**
 * The whole text of the override's file. `base` is the present text: its other flags, evaluators and metadata and the
 * flag's description are kept, unless flagd would refuse the document because of them.
 */
export function renderOverride(override: Override, base?: string): string {
  const present = base === undefined ? {} : parsedObject(base)
  const flags = isObject(present.flags) ? present.flags : {}
  const flag = renderFlag(override, descriptionIn(flags[OVERRIDE_FLAG_KEY]))
  const ours = documentText({ flags: { [OVERRIDE_FLAG_KEY]: flag } })
  const edited = documentText({ ...present, flags: { ...flags, [OVERRIDE_FLAG_KEY]: flag } })
  return edited === ours || flagdRefusal(edited) === undefined ? edited : ours
}

/** The document with another flag of the service in it; all else of it stays. */
export function withFlag(base: string, key: string, flag: JsonObject): string {
  const present = parsedObject(base)
  const flags = isObject(present.flags) ? present.flags : {}
  return documentText({ ...present, flags: { ...flags, [key]: flag } })
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
