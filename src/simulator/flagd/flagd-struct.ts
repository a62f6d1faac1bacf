import type { JsonValue } from '@openfeature/server-sdk'

/** `google.protobuf.Struct` and `Value` as proto-loader hands them over. */
export interface WireStruct {
  readonly fields?: Readonly<Record<string, WireValue>>
}

export interface WireValue {
  readonly nullValue?: number
  readonly numberValue?: number
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly structValue?: WireStruct
  readonly listValue?: { readonly values?: readonly WireValue[] }
}

export type JsonRecord = { [key: string]: JsonValue }

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isJsonRecord = (value: JsonValue): value is JsonRecord => isRecord(value)

export function toStruct(record: Readonly<JsonRecord>): WireStruct {
  return { fields: Object.fromEntries(Object.entries(record).map(([key, value]) => [key, toValue(value)])) }
}

export function toValue(value: JsonValue): WireValue {
  if (value === null) return { nullValue: 0 }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number') return { numberValue: value }
  if (typeof value === 'string') return { stringValue: value }
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } }
  return isJsonRecord(value) ? { structValue: toStruct(value) } : { nullValue: 0 }
}

export function fromStruct(struct: WireStruct | null | undefined): JsonRecord {
  const entries = Object.entries(struct?.fields ?? {})
  return Object.fromEntries(entries.map(([key, value]) => [key, fromValue(value)]))
}

function fromValue(value: WireValue): JsonValue {
  if (value.structValue != null) return fromStruct(value.structValue)
  if (value.listValue != null) return (value.listValue.values ?? []).map(fromValue)
  return value.stringValue ?? value.numberValue ?? value.boolValue ?? null
}
