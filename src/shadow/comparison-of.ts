import type { Turn } from '../execution/backend.js'
import { estimatePrompt } from '../execution/estimate-tokens.js'
import type { Outcome } from '../execution/outcome.js'
import type { ComparedSide, Comparison } from '../journal/comparison.js'
import { isJudged, type JudgedResult } from '../protocol/execution-results.js'
import { compare } from './compare.js'
import type { Observation } from './observation.js'
import type { Observer } from './observer.js'
import { keptContent } from './redact.js'

/** One side that has ended. */
export interface EndedSide {
  readonly outcome: EndedOutcome
  readonly observer: Observer
}
/** given-up and rejected ones say nothing of a backend */
export type EndedOutcome = Extract<Outcome, { readonly result: JudgedResult }>

export function isEnded(outcome: Outcome): outcome is EndedOutcome {
  return isJudged(outcome.result)
}

export interface ComparedTurn {
  readonly turn: Turn
  readonly kind: Comparison['kind']
  /** wall-clock ms of its start */
  readonly at: number
  readonly replica: string
  readonly control: EndedSide
  readonly candidate: EndedSide
  readonly fenceViolations: number
}

/** The kept comparison of a turn. Costs as much as `compare` does, and redaction where content is kept. */
export function comparisonOf(
  { turn, kind, at, replica, control, candidate, fenceViolations }: ComparedTurn,
  keepContent: boolean,
): Comparison {
  const sides = observed(turn, control, candidate)
  return {
    at,
    replica,
    orgId: turn.caller.orgId,
    agentId: turn.caller.agentId,
    kind,
    control: sideOf(sides.control, control.outcome),
    candidate: sideOf(sides.candidate, candidate.outcome),
    ...compare(sides.control, sides.candidate),
    fenceViolations,
    ...(keepContent
      ? { content: { control: contentOf(sides.control), candidate: contentOf(sides.candidate) } }
      : {}),
  }
}

/** Tokens as both backends counted them; where one does not count, both are estimated alike. */
function observed(turn: Turn, control: EndedSide, candidate: EndedSide) {
  const isCounted = control.outcome.tokens !== undefined && candidate.outcome.tokens !== undefined
  const prompt = isCounted ? 0 : estimatePrompt(turn)
  const tokens = ({ outcome, observer }: EndedSide) =>
    isCounted ? outcome.tokens : prompt + observer.answerTokens
  return {
    control: control.observer.observation(control.outcome, tokens(control)),
    candidate: candidate.observer.observation(candidate.outcome, tokens(candidate)),
  }
}

function sideOf(seen: Observation, { result }: EndedOutcome): ComparedSide {
  return {
    mode: seen.mode,
    result,
    ...(seen.code === undefined ? {} : { code: seen.code }),
    latencyMs: seen.latencyMs,
    ...(seen.firstContentMs === undefined ? {} : { firstContentMs: seen.firstContentMs }),
    ...(seen.tokens === undefined ? {} : { tokens: seen.tokens }),
    characters: seen.characters,
    steps: seen.steps.length,
    calls: seen.calls.length,
  }
}

const contentOf = ({ text, characters }: Observation): string => keptContent(text, characters > text.length)
