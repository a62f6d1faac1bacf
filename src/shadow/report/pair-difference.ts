import type { KeptPair } from '../../journal/comparison.js'

/** How far the sides of a pair differ in each respect, 0 (alike) to 1; null where it is not known of both. */
export interface PairParts {
  /** 1 if one side succeeded and the other did not */
  readonly result: number
  /** 1 − similarity */
  readonly text: number | null
  readonly plan: number | null
  readonly calls: number | null
  readonly callOrder: number | null
  /** 1 − smaller / larger: 0.5 where one side has twice as much; of pairs that both succeeded */
  readonly latency: number | null
  readonly firstContent: number | null
  readonly length: number | null
  readonly tokens: number | null
}

export interface PairDifference {
  /** 0 to 1 */
  readonly difference: number
  readonly parts: PairParts
}

/**
 * How far a pair differs: 1 if one side succeeded and the other did not, else the mean of the parts that are known.
 */
export function differenceOf(pair: KeptPair): PairDifference {
  const { control, candidate } = pair
  const bothOk = control.result === 'ok' && candidate.result === 'ok'
  const oneOk = (control.result === 'ok') !== (candidate.result === 'ok')
  const ratio = (a: number | undefined, b: number | undefined): number | null => (bothOk ? apart(a, b) : null)
  const parts: PairParts = {
    result: oneOk ? 1 : 0,
    text: unlike(pair.textSimilarity),
    plan: unlike(pair.planSimilarity),
    calls: unlike(pair.callSetSimilarity),
    callOrder: unlike(pair.callOrderSimilarity),
    latency: ratio(control.latencyMs, candidate.latencyMs),
    firstContent: ratio(control.firstContentMs, candidate.firstContentMs),
    length: ratio(control.characters, candidate.characters),
    tokens: ratio(control.tokens, candidate.tokens),
  }
  const known = Object.values(parts).filter((part): part is number => part !== null)
  const mean = known.reduce((sum, part) => sum + part, 0) / known.length
  return { difference: oneOk ? 1 : mean, parts }
}

const unlike = (similarity: number | undefined): number | null =>
  similarity === undefined ? null : 1 - similarity

function apart(a: number | undefined, b: number | undefined): number | null {
  if (a === undefined || b === undefined) return null
  const more = Math.max(a, b)
  return more === 0 ? 0 : 1 - Math.min(a, b) / more
}
