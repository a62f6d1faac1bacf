import type { IncomingMessage, ServerResponse } from 'node:http'
import { SAFE_HEADERS } from './answer-headers.js'
import { problemBody, problemHeaders } from './edge/answer.js'
import { originHeaders } from './edge/cors.js'
import type { Language } from './edge/language.js'
import { PROBLEMS, type Problem } from './edge/problems.js'
import { REQUEST_ID, saneId } from './edge/request-id.js'

export interface PreparedDeps {
  readonly ids: { newId(): string }
  readonly corsOrigins: readonly string[]
  languageOf(request: IncomingMessage, response: ServerResponse): Language
}

/** Answers one request, its body unread. @returns the id of the request */
export type PreparedAnswer = (request: IncomingMessage, response: ServerResponse) => string

/**
 * The answer of a problem without Koa, for those who get it by the thousand: the same headers and the same text as `answerProblem` behind
 * the middleware, made once for each language and origin. Head and body go out in one write.
 */
export function prepareAnswer(problem: Problem, deps: PreparedDeps): PreparedAnswer {
  const { status } = PROBLEMS[problem.problem]
  const prepared = new Map<string, { readonly head: readonly string[]; readonly text: string }>()

  const answerIn = (language: Language, origin: string) => {
    const key = `${language} ${origin}`
    const known = prepared.get(key)
    if (known !== undefined) return known
    const text = JSON.stringify(problemBody(problem, language))
    const headers: Record<string, string> = {
      ...SAFE_HEADERS,
      ...originHeaders(deps.corsOrigins, origin),
      ...problemHeaders(problem, language),
      Vary: deps.corsOrigins.length > 0 ? 'Origin, Accept-Language' : 'Accept-Language',
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(text)),
    }
    const made = { head: Object.entries(headers).flat(), text }
    prepared.set(key, made)
    return made
  }

  return (request, response) => {
    const { origin = '', 'x-request-id': inbound } = request.headers
    const isAllowed = deps.corsOrigins.includes(origin)
    const { head, text } = answerIn(deps.languageOf(request, response), isAllowed ? origin : '')
    const requestId = saneId(typeof inbound === 'string' ? inbound : '', deps.ids)
    response.writeHead(status, [REQUEST_ID, requestId, ...head]).end(text)
    return requestId
  }
}
