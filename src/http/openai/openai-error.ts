import type { Context } from 'koa'
import type { OpenAiError } from '../../protocol/openai.js'
import { languageOf } from '../edge/language.js'
import { PROBLEMS, type Problem, type ProblemName } from '../edge/problems.js'

type ErrorType = OpenAiError['error']['type']

/** What clients know a refusal by; every other one keeps our own code. */
const OPENAI_CODES: Partial<Record<ProblemName, string>> = {
  token_missing: 'invalid_api_key',
  token_expired: 'invalid_api_key',
  token_not_yet_valid: 'invalid_api_key',
  token_claims: 'invalid_api_key',
  token_invalid: 'invalid_api_key',
  body_unsupported: 'unsupported_parameter',
  model_unknown: 'model_not_found',
  rate_limited: 'rate_limit_exceeded',
  too_many_streams: 'rate_limit_exceeded',
  quota_exceeded: 'insufficient_quota',
}

export const openAiCode = (problem: ProblemName): string => OPENAI_CODES[problem] ?? PROBLEMS[problem].code

/** Answers a problem in OpenAI's shape, in the client's language. */
export function answerOpenAiProblem(ctx: Context, problem: Problem): void {
  const kind = PROBLEMS[problem.problem]
  const language = languageOf(ctx)
  const { details, param = null, headers } = problem.options
  // The sentence of the first fault says what is to be done; that of the kind only that there is one.
  const message = details?.[0]?.[language] ?? kind[language]
  ctx.status = kind.status
  ctx.set({ 'Cache-Control': 'no-store', 'Content-Language': language, ...headers })
  ctx.vary('Accept-Language')
  ctx.body = openAiError(kind.status, message, openAiCode(problem.problem), param)
}

export function openAiError(
  status: number,
  message: string,
  code: string,
  param: string | null = null,
): OpenAiError {
  return { error: { message, type: typeOf(status), code, param } }
}

function typeOf(status: number): ErrorType {
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  if (status === 429) return 'rate_limit_error'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}
