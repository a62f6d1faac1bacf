import type { Turn } from '../../execution/backend.js'
import { estimatePrompt } from '../../execution/estimate-tokens.js'
import type { Outcome } from '../../execution/outcome.js'
import type { ComparedSide, Comparison } from '../../journal/comparison.js'
import { isJudged, type JudgedResult } from '../../protocol/execution-results.js'
import { compare } from './compare.js'
import type { Observation } from './observation.js'
import type { Observer } from './observer.js'
import { keptContent } from './redact.js'

/** One side that has ended. */
export interface EndedSide<O extends Outcome = EndedOutcome> {
  readonly outcome: O
  readonly observer: Observer
}
/** given-up and rejected ones say nothing of a backend */
export type EndedOutcome = Extract<Outcome, { readonly result: JudgedResult }>

/** The control's end: by itself, or given up by its user. */
export type ControlEnd = EndedOutcome | Extract<Outcome, { readonly result: 'aborted' }>

export function isEnded(outcome: Outcome): outcome is EndedOutcome {
  return isJudged(outcome.result)
}

export interface ComparedTurn {
  readonly turn: Turn
  readonly kind: Comparison['kind']
  readonly aaPercent: number
  /** wall-clock ms of its start */
  readonly at: number
  readonly replica: string
  readonly control: EndedSide<ControlEnd>
  readonly candidate: EndedSide
  readonly fenceViolations: number
}

/**
 * The kept comparison of a turn. Where its user left, the control's times are censored and its answer is only begun: nothing is
 * said of likeness, and no content is kept. Costs as much as `compare` does, and redaction where content is kept.
 */
export function comparisonOf(
  { turn, kind, aaPercent, at, replica, control, candidate, fenceViolations }: ComparedTurn,
  keepContent: boolean,
): Comparison {
  const sides = observed(turn, control, candidate)
  const hasLeft = control.outcome.result === 'aborted'
  return {
    at,
    replica,
    orgId: turn.caller.orgId,
    userId: turn.caller.userId,
    agentId: turn.caller.agentId,
    sessionId: turn.sessionId,
    messageId: turn.messageId,
    kind,
    aaPercent,
    control: sideOf(sides.control, control.outcome),
    candidate: sideOf(sides.candidate, candidate.outcome),
    ...(hasLeft ? {} : compare(sides.control, sides.candidate)),
    fenceViolations,
    ...(keepContent && !hasLeft
      ? { content: { control: contentOf(sides.control), candidate: contentOf(sides.candidate) } }
      : {}),
  }
}

/** Tokens as both backends counted them; where one does not count, both are estimated alike. */
function observed(turn: Turn, control: EndedSide<ControlEnd>, candidate: EndedSide) {
  const isCounted = control.outcome.tokens !== undefined && candidate.outcome.tokens !== undefined
  const prompt = isCounted ? 0 : estimatePrompt(turn)
  const tokens = ({ outcome, observer }: EndedSide<ControlEnd>) =>
    isCounted ? outcome.tokens : prompt + observer.answerTokens
  return {
    control: control.observer.observation(control.outcome, tokens(control)),
    candidate: candidate.observer.observation(candidate.outcome, tokens(candidate)),
  }
}

function sideOf(seen: Observation, { result }: ControlEnd): ComparedSide {
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
