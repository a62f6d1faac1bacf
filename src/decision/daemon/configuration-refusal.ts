import { MemoryStorage } from '@openfeature/flagd-core'
import { errorText } from '../../core/errors.js'
import { silentSdkLogger } from '../sdk-logger.js'

/** flags named; a configuration with hundreds of wrong ones is told by its first */
const NAMED = 5

/**
 * Because of what flagd's in-process provider refuses this configuration (all flags of all of flagd's sources, as its sync
 * stream sends them): one wrong flag of anybody refuses everybody's. `undefined` when it takes it. Never throws.
 */
export function configurationRefusal(text: string): string | undefined {
  const thrown = refusal(text)
  if (thrown === undefined) return undefined
  const wrong = flagsIn(text).flatMap(([key, flag]) => {
    const why = refusal(JSON.stringify({ flags: { [key]: flag } }))
    return why === undefined ? [] : [`flag "${key}" (${why})`]
  })
  if (wrong.length === 0) return thrown
  const more = wrong.length > NAMED ? ` and ${wrong.length - NAMED} more` : ''
  return `${wrong.slice(0, NAMED).join(', ')}${more}`
}

/** Taken as the provider takes it: without the schema, but not with a state that is none or without variants. */
function refusal(text: string): string | undefined {
  try {
    new MemoryStorage(silentSdkLogger).setConfigurations(text)
    return undefined
  } catch (thrown) {
    // flagd-core hides what went wrong behind "invalid flagd flag configuration".
    return errorText(thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown)
  }
}

function flagsIn(text: string): [key: string, flag: unknown][] {
  try {
    const document: unknown = JSON.parse(text)
    const flags: unknown =
      typeof document === 'object' && document !== null && 'flags' in document ? document.flags : undefined
    return typeof flags === 'object' && flags !== null ? Object.entries(flags) : []
  } catch {
    return []
  }
}
