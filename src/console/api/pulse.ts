import { useEffect, useState } from 'preact/hooks'

/** Counts up once every so many ms while its component is shown: for what no event tells of. */
export function usePulse(everyMs: number): number {
  const [round, setRound] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setRound((before) => before + 1), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return round
}
