import type { Comparison } from '../../journal/comparison.js'
import type { Observation } from './observation.js'
import { orderSimilarity, setSimilarity, textSimilarity } from './similarity.js'

export type Similarities = Pick<
  Comparison,
  'textSimilarity' | 'planSimilarity' | 'callSetSimilarity' | 'callOrderSimilarity'
>

/**
 * How alike both sides are, each from 0 to 1; what cannot be said is absent: the text where either side has none, the
 * plan where neither planned, the calls where neither called. Pure, symmetric, of bounded cost (similarity.ts).
 */
export function compare(control: Observation, candidate: Observation): Similarities {
  return {
    ...(hasText(control) && hasText(candidate)
      ? { textSimilarity: textSimilarity(control.text, candidate.text) }
      : {}),
    ...(control.steps.length + candidate.steps.length > 0
      ? { planSimilarity: textSimilarity(planText(control), planText(candidate)) }
      : {}),
    ...(control.calls.length + candidate.calls.length > 0
      ? {
          callSetSimilarity: setSimilarity(control.calls, candidate.calls),
          callOrderSimilarity: orderSimilarity(control.calls, candidate.calls),
        }
      : {}),
  }
}

const hasText = ({ text }: Observation): boolean => text.trim() !== ''

const planText = ({ steps }: Observation): string => steps.join('\n')
