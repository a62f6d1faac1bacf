import { useEffect, useState } from 'preact/hooks'

/** ms between two looks */
const EVERY_MS = 2_000
const TIMEOUT_MS = 5_000
const COUNTER = /^chat_failovers_total(?:\{[^}]*\})? (\d+)/gm

/** Turns that failed over since the page was opened, from the counters of the service that served it; for the demo. */
export function useFailovers(isWanted: boolean): number {
  const [seen, setSeen] = useState({ first: 0, now: 0 })
  useEffect(() => {
    if (!isWanted) return
    const gone = new AbortController()
    let isFirst = true
    const look = async (): Promise<void> => {
      const counted = await failovers(gone.signal)
      if (counted === undefined || gone.signal.aborted) return
      setSeen(({ first, now }) => {
        // A service that was started again counts from 0.
        const from = isFirst || counted < now ? counted : first
        isFirst = false
        return { first: from, now: counted }
      })
    }
    void look()
    const timer = setInterval(() => void look(), EVERY_MS)
    return () => {
      clearInterval(timer)
      gone.abort()
    }
  }, [isWanted])
  return seen.now - seen.first
}

/** Undefined where the service did not answer: the next look may tell. */
async function failovers(signal: AbortSignal): Promise<number | undefined> {
  try {
    const response = await fetch('/metrics', {
      credentials: 'omit',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    if (!response.ok) return undefined
    const text = await response.text()
    return [...text.matchAll(COUNTER)].reduce((sum, [, count]) => sum + Number(count), 0)
  } catch {
    return undefined
  }
}
