import { textSimilarity } from '../src/shadow/compare/similarity.js'
import { median, type Row, row } from './statistics.js'

const RUNS = 50
/** ms that a comparison of two answers of 4 KiB may hold the event loop */
const MOST_MS = 1

const PAIRS: Readonly<Record<string, readonly [string, string]>> = {
  English: [
    'The runtime answered more slowly than the direct model. '.repeat(74),
    'Its plan was better than that of the model. '.repeat(94),
  ],
  Chinese: [
    '我们讨论了运行时的错误率以及回退。'.repeat(80),
    '昨天的会议上有人提出了另外一个问题。'.repeat(76),
  ],
}

/** What the comparison of two answers of 4 KiB costs, beside what it may cost. */
export function benchSimilarity(): Row[] {
  return Object.entries(PAIRS).map(([language, [a, b]]) => {
    const times = Array.from({ length: RUNS }, () => {
      const startedAt = performance.now()
      textSimilarity(first4KiB(a), first4KiB(b))
      return performance.now() - startedAt
    })
    return row(`similarity of two texts of 4 KiB, ${language}`, 'ms', MOST_MS, median(times), 1)
  })
}

const first4KiB = (text: string): string => Buffer.from(text).subarray(0, 4_096).toString()
