import type { EventMessage } from './flagd-proto.js'
import type { FlagChange } from './flagd-store.js'
import { toStruct } from './flagd-struct.js'

/** The three messages of flagd's `EventStream`. */

export const PROVIDER_READY: EventMessage = { type: 'provider_ready', data: { fields: {} } }
export const KEEP_ALIVE: EventMessage = { type: 'keep_alive', data: { fields: {} } }

/** `{flags: {KEY: {type: "write"}}}` */
export function changeEvent(changes: ReadonlyMap<string, FlagChange>): EventMessage {
  const flags = Object.fromEntries([...changes].map(([key, type]) => [key, { type }]))
  return { type: 'configuration_change', data: toStruct({ flags }) }
}

/** For a client that reads slowly: the changes of both, the later word for one flag, no `keep_alive` beside them. */
export function mergeEvents(waiting: EventMessage, next: EventMessage): EventMessage {
  if (next.type !== 'configuration_change') return waiting
  if (waiting.type !== 'configuration_change') return next
  const flags = {
    ...waiting.data.fields?.flags?.structValue?.fields,
    ...next.data.fields?.flags?.structValue?.fields,
  }
  return { type: 'configuration_change', data: { fields: { flags: { structValue: { fields: flags } } } } }
}
