import { type ErrorBody, errorBodySchema } from '../../src/protocol/api.js'

export type ErrorSeen = Partial<ErrorBody['error']>

/** The error of an answer, checked against the public schema; empty where the answer is a success. */
export async function errorOf(response: Response): Promise<ErrorSeen> {
  const body: unknown = await response.json()
  if (response.ok) return {}
  return errorBodySchema.parse(body).error
}

/** The data of a successful answer. */
export async function dataOf(response: Response): Promise<unknown> {
  const body: unknown = await response.json()
  if (
    typeof body !== 'object' ||
    body === null ||
    !('success' in body) ||
    body.success !== true ||
    !('data' in body)
  )
    throw new Error(`no success: ${response.status} ${JSON.stringify(body)}`)
  return body.data
}
