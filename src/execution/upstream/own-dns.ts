import { lookup } from 'node:dns/promises'
import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'

/** ms a look may take; a resolver that takes longer counts as unavailable */
const LOOK_MS = 1000
/** ms for which a result serves everybody who asks */
const FRESH_MS = 1000

/**
 * Tells whether a name that was not resolved is our resolver's fault: then the direct LLM's is not resolved either.
 * @param baseUrl of the direct LLM
 * @param resolve rejects where the name is not resolved
 * @returns a question that never rejects
 */
export function ownDnsCheck(
  baseUrl: string,
  clock: Clock,
  resolve: (hostname: string) => Promise<unknown> = lookup,
): () => Promise<boolean> {
  const hostname = new URL(baseUrl).hostname.replace(/^\[(.*)\]$/, '$1')
  let last: { readonly at: number; readonly isOurs: Promise<boolean> } | undefined
  const look = async (): Promise<boolean> => {
    try {
      return (await bounded(resolve(hostname), LOOK_MS, clock)) === 'late'
    } catch {
      return true
    }
  }
  return () => {
    const now = clock.monotonic()
    if (last === undefined || now - last.at >= FRESH_MS) last = { at: now, isOurs: look() }
    return last.isOurs
  }
}
