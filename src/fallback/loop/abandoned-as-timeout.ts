import type { Outcome } from '../../execution/outcome.js'

/** Who left before the commit point after waiting for long met a hang: it is judged as the timeout it would have become. */
export function abandonedAsTimeout(outcome: Outcome): Outcome {
  const { abandoned } = outcome
  if (abandoned === undefined) return outcome
  switch (abandoned) {
    case 'connect':
      return { ...outcome, result: 'timeout', code: 'connect_timeout', phase: abandoned }
    case 'headers':
      return { ...outcome, result: 'timeout', code: 'headers_timeout', phase: abandoned }
    case 'first_content':
    case 'streaming':
      return { ...outcome, result: 'timeout', code: 'first_content_timeout', phase: 'first_content' }
  }
}
