/** How one execution can end. */
export type ExecutionResult = 'ok' | 'error' | 'timeout' | 'aborted' | 'rejected'

/** Those that say how well the backend does: they count in rates, verdicts and times. */
export type JudgedResult = Exclude<ExecutionResult, 'aborted' | 'rejected'>

export function isJudged(result: ExecutionResult): result is JudgedResult {
  return result !== 'aborted' && result !== 'rejected'
}
