import type { ExecutionMode } from '../protocol/modes.js'
import type { KeptPair, KeptPairSide } from './comparison.js'
import { given } from './entries.js'
import { KINDS, PLACE, RESULTS, SIDE_PLACE, TEN_THOUSANDTHS, TENTHS } from './facts.js'

const AB = KINDS.indexOf('ab')

/**
 * A pair of both backends from `[at, org, agent, facts]`. Undefined for a run of the control with itself, for a pair whose user
 * left (how its control would have ended is not known), and for what this version does not understand.
 */
export function pairOf(list: unknown, controlMode: ExecutionMode): KeptPair | undefined {
  if (!Array.isArray(list)) return undefined
  const [at, orgId, agentId, facts]: readonly unknown[] = list
  if (typeof at !== 'number' || typeof orgId !== 'string' || typeof agentId !== 'string') return undefined
  if (!Array.isArray(facts) || facts[PLACE.kind] !== AB) return undefined
  const control = sideOf(facts, PLACE.control)
  const candidate = sideOf(facts, PLACE.candidate)
  if (control === undefined || candidate === undefined) return undefined
  return {
    at,
    orgId,
    agentId,
    ...given('sessionId', textAt(facts, PLACE.sessionId)),
    ...given('messageId', textAt(facts, PLACE.messageId)),
    ...given('textSimilarity', numberAt(facts, PLACE.similar, TEN_THOUSANDTHS)),
    ...given('planSimilarity', numberAt(facts, PLACE.similar + 1, TEN_THOUSANDTHS)),
    ...given('callSetSimilarity', numberAt(facts, PLACE.similar + 2, TEN_THOUSANDTHS)),
    ...given('callOrderSimilarity', numberAt(facts, PLACE.similar + 3, TEN_THOUSANDTHS)),
    controlMode,
    control,
    candidate,
  }
}

function sideOf(facts: readonly unknown[], place: number): KeptPairSide | undefined {
  const result = RESULTS[numberAt(facts, place + SIDE_PLACE.result, 1) ?? -1]
  const latencyMs = numberAt(facts, place + SIDE_PLACE.latency, TENTHS)
  const characters = numberAt(facts, place + SIDE_PLACE.characters, 1)
  if (result === undefined || latencyMs === undefined || characters === undefined) return undefined
  return {
    result,
    ...given('code', textAt(facts, place + SIDE_PLACE.code)),
    latencyMs,
    ...given('firstContentMs', numberAt(facts, place + SIDE_PLACE.firstContent, TENTHS)),
    ...given('tokens', numberAt(facts, place + SIDE_PLACE.tokens, 1)),
    characters,
  }
}

function numberAt(facts: readonly unknown[], place: number, scale: number): number | undefined {
  const value = facts[place]
  return typeof value === 'number' ? value / scale : undefined
}

function textAt(facts: readonly unknown[], place: number): string | undefined {
  const value = facts[place]
  return typeof value === 'string' ? value : undefined
}
