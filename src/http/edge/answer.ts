import type { Context } from 'koa'
import type { ErrorBody } from '../../protocol/api.js'
import { type Language, languageOf } from './language.js'
import { PROBLEMS, type Problem } from './problems.js'

/** Answers `{"success": true, "data": …}`. */
export function answer(ctx: Context, data: unknown): void {
  ctx.set('Cache-Control', 'no-store')
  ctx.body = { success: true, data }
}

/** Answers a problem in the envelope, in the client's language. */
export function answerProblem(ctx: Context, problem: Problem): void {
  const kind = PROBLEMS[problem.problem]
  const language = languageOf(ctx)
  ctx.status = kind.status
  ctx.set(problemHeaders(problem, language))
  ctx.vary('Accept-Language')
  ctx.body = problemBody(problem, language)
}

/** The headers that every answer of this problem has, in this language. */
export const problemHeaders = (problem: Problem, language: Language): Record<string, string> => ({
  'Cache-Control': 'no-store',
  'Content-Language': language,
  ...problem.options.headers,
})

/** What the client reads. */
export function problemBody(problem: Problem, language: Language): ErrorBody {
  const kind = PROBLEMS[problem.problem]
  const details = problem.options.details?.map((line) => line[language])
  return {
    success: false,
    error: { code: kind.code, message: kind[language], ...(details === undefined ? {} : { details }) },
  }
}
