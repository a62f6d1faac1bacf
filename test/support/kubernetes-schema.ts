import type { StoredObject } from './kubernetes-api.js'

/** What the API server makes of the fields of an object: what the schema of the kind drops, and what it refuses. */

const DOCUMENT_FIELDS = new Set(['flags', '$evaluators', 'metadata'])
const FLAG_FIELDS = new Set(['state', 'variants', 'defaultVariant', 'targeting', 'metadata'])
const OBJECTS = new Set(['flags', '$evaluators', 'metadata', 'targeting', 'variants'])
const STATES = ['ENABLED', 'DISABLED']

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The structural schema of the operator's FeatureFlag. Prunes the object, and says what is wrong with it. */
export function featureFlagFaults(object: StoredObject, dropsMetadata: boolean): readonly string[] {
  const flagSpec = object.spec?.flagSpec
  if (flagSpec === undefined) return []
  const path = 'spec.flagSpec'
  if (!isObject(flagSpec)) return [ofType(path, 'object', flagSpec)]
  const isKept = (known: ReadonlySet<string>) => (field: string) =>
    known.has(field) && !(field === 'metadata' && dropsMetadata)
  prune(flagSpec, isKept(DOCUMENT_FIELDS))
  const { flags } = flagSpec
  const faults = objectFaults(flagSpec, path, ['flags'])
  if (isObject(flags))
    for (const key of Object.keys(flags).sort()) faults.push(...flagFaults(flags, key, isKept(FLAG_FIELDS)))
  return faults
}

function flagFaults(
  flags: Record<string, unknown>,
  key: string,
  isKept: (field: string) => boolean,
): readonly string[] {
  const flag = flags[key]
  const path = `spec.flagSpec.flags.${key}`
  if (!isObject(flag)) return [ofType(path, 'object', flag)]
  prune(flag, isKept)
  const faults = objectFaults(flag, path, ['defaultVariant', 'state', 'variants'])
  const { defaultVariant, state } = flag
  if (defaultVariant !== undefined && typeof defaultVariant !== 'string')
    faults.push(ofType(`${path}.defaultVariant`, 'string', defaultVariant))
  if (state !== undefined && typeof state === 'string' && !STATES.includes(state))
    faults.push(
      `${path}.state: Unsupported value: ${JSON.stringify(state)}: supported values: "ENABLED", "DISABLED"`,
    )
  return faults
}

/** Fields that the schema does not know go, and each `null`: no field may be null. */
function prune(object: Record<string, unknown>, isKept: (field: string) => boolean): void {
  for (const [field, value] of Object.entries(object))
    if (!isKept(field) || value === null) delete object[field]
}

function objectFaults(object: Record<string, unknown>, path: string, required: readonly string[]): string[] {
  const missing = required.filter((field) => object[field] === undefined)
  const wrong = Object.entries(object).filter(([field, value]) => OBJECTS.has(field) && !isObject(value))
  return [
    ...missing.map((field) => `${path}.${field}: Required value`),
    ...wrong.map(([field, value]) => ofType(`${path}.${field}`, 'object', value)),
  ]
}

function ofType(path: string, type: string, value: unknown): string {
  const is = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
  return `${path}: Invalid value: "${is}": ${path} in body must be of type ${type}: "${is}"`
}

/** A Lease is decoded into Go's types: what does not fit is no Lease. Undefined where it fits. */
export function leaseFault({ spec = {} }: StoredObject): string | undefined {
  const { renewTime } = spec
  if (renewTime === undefined || renewTime === null) return undefined
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(String(renewTime))) return undefined
  return `Lease in version "v1" cannot be handled as a Lease: parsing time ${JSON.stringify(renewTime)}`
}
