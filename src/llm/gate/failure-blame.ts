import type { FailedRequest } from './next-step.js'

/** Whether a failed request tells against its endpoint, against what was sent, or nothing at all. */
export function blames({ code, httpStatus, rejected, ours }: FailedRequest): 'endpoint' | 'user' | 'nobody' {
  if (ours === true) return 'nobody'
  if (rejected === true) return 'user'
  // Mostly from a proxy with a limit of its own, which says nothing of the server behind it.
  if (httpStatus === 413) return 'nobody'
  switch (code) {
    case 'llm_bad_request':
    case 'llm_content_filtered':
    case 'llm_context_too_long':
      return 'user'
    case 'internal_error':
      return 'nobody'
    default:
      return 'endpoint'
  }
}
