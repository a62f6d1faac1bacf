/** How one execution can end. */
export type ExecutionResult = 'ok' | 'error' | 'timeout' | 'aborted' | 'rejected'

/** How it is counted in public: an aborted one that its user left after waiting for long is told apart. */
export type CountedResult = ExecutionResult | 'abandoned'

export function countedAs(outcome: {
  readonly result: ExecutionResult
  readonly abandoned?: unknown
}): CountedResult {
  return outcome.abandoned === undefined ? outcome.result : 'abandoned'
}

/** Those that say how well the backend does: they count in rates, verdicts and times. */
export type JudgedResult = Exclude<ExecutionResult, 'aborted' | 'rejected'>

export function isJudged(result: CountedResult): result is JudgedResult {
  return result !== 'aborted' && result !== 'rejected' && result !== 'abandoned'
}
