import { OVERRIDE_FLAG_KEY } from '../../protocol/fallback.js'
import { isObject, type Json, type JsonObject } from './override-flag.js'
import { lineAt, parseStrictJson } from './strict-json.js'

/** One of the service's own flags as it stands in a document, with the types it has to have. */
export interface FlagShape {
  /** all of it */
  readonly flag: JsonObject
  readonly enabled: boolean
  readonly variants: Readonly<Record<string, boolean>>
  /** `undefined`: none, the code default (off) counts */
  readonly defaultVariant: string | undefined
  /** an empty one is none */
  readonly targeting: JsonObject | undefined
  readonly metadata: JsonObject
  /** what `$ref` may name */
  readonly evaluators: JsonObject
}

export type ReadShape =
  | { readonly kind: 'shape'; readonly shape: FlagShape }
  | { readonly kind: 'fault'; readonly detail: string }

/** Faults are for an operator, with the line. Never throws. */
export function readFlagShape(text: string, key: string = OVERRIDE_FLAG_KEY): ReadShape {
  const parsed = parseStrictJson(text)
  if (parsed.kind === 'fault') return parsed
  const found = findFlag(parsed.value, key)
  const fault = typeof found === 'string' ? { path: ['flags'], message: found } : shapeFault(found.flag, key)
  if (typeof found === 'string' || fault !== undefined)
    return { kind: 'fault', detail: `line ${lineAt(text, fault?.path ?? [])}: ${fault?.message ?? ''}` }
  return { kind: 'shape', shape: shapeOf(found.flag, found.evaluators) }
}

function findFlag(document: Json, key: string): { flag: JsonObject; evaluators: JsonObject } | string {
  if (!isObject(document)) return 'the document must be an object with "flags"'
  const flags = own(document, 'flags')
  if (!isObject(flags)) return '"flags" must be an object or a list'
  const flag = own(flags, key)
  if (flag === undefined) return `flag "${key}" is missing`
  if (!isObject(flag)) return `flag "${key}" must be an object`
  const evaluators = own(document, '$evaluators')
  return { flag, evaluators: isObject(evaluators) ? evaluators : {} }
}

function shapeFault(flag: JsonObject, key: string): { path: string[]; message: string } | undefined {
  const at = (name: string, message: string) => ({ path: ['flags', key, name], message })
  const { state, variants, defaultVariant, targeting, metadata } = flag
  if (state !== 'ENABLED' && state !== 'DISABLED')
    return at('state', '"state" must be "ENABLED" or "DISABLED"')
  if (!isObject(variants) || Object.keys(variants).length === 0)
    return at('variants', '"variants" must be an object that is not empty')
  if (Object.values(variants).some((value) => typeof value !== 'boolean'))
    return at('variants', 'each of "variants" must be true or false')
  if (defaultVariant !== undefined && defaultVariant !== null) {
    if (typeof defaultVariant !== 'string') return at('defaultVariant', '"defaultVariant" must be a text')
    if (defaultVariant !== '' && !Object.hasOwn(variants, defaultVariant))
      return at('defaultVariant', '"defaultVariant" is not among the variants')
  }
  if (targeting !== undefined && !isObject(targeting)) return at('targeting', '"targeting" must be an object')
  if (metadata !== undefined && !isObject(metadata)) return at('metadata', '"metadata" must be an object')
  return undefined
}

function shapeOf(flag: JsonObject, evaluators: JsonObject): FlagShape {
  const { state, variants, defaultVariant, targeting, metadata } = flag
  const named = isObject(variants) ? Object.entries(variants) : []
  return {
    flag,
    enabled: state === 'ENABLED',
    variants: Object.fromEntries(named.map(([name, value]) => [name, value === true])),
    defaultVariant: typeof defaultVariant === 'string' && defaultVariant !== '' ? defaultVariant : undefined,
    targeting: isObject(targeting) && Object.keys(targeting).length > 0 ? targeting : undefined,
    metadata: isObject(metadata) ? metadata : {},
    evaluators,
  }
}

function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}
