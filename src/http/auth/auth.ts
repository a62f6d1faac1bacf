import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'
import type { Role } from '../../protocol/api.js'
import { Problem } from '../edge/problems.js'
import { hasRole, type Identity } from './claims.js'
import type { VerifyToken } from './token-verifier.js'

const BEARER = /^Bearer +([\w.~+/=-]+) *$/i

/** Who sends a request that no middleware has seen yet; undefined where `Authenticate` will refuse it. */
export type Recognize = (request: IncomingMessage) => Promise<Identity | undefined>

/** Who calls. @throws Problem 401 without a good token, 403 below the role, 503 when keys cannot be had */
export type Authenticate = (ctx: Context, least?: Role) => Promise<Identity>

export function createAuthenticate(verify: VerifyToken): {
  readonly authenticate: Authenticate
  readonly recognize: Recognize
} {
  // So that no bad token is verified twice.
  const refused = new WeakMap<IncomingMessage, unknown>()
  return {
    authenticate: async ({ req }, least = 'member') => {
      if (refused.has(req)) throw refused.get(req)
      const identity = await verify(tokenOf(req))
      if (!hasRole(identity, least)) throw roleTooLow()
      return identity
    },
    recognize: async (request) => {
      try {
        return await verify(tokenOf(request))
      } catch (thrown) {
        refused.set(request, thrown)
        return undefined
      }
    },
  }
}

function tokenOf({ headers }: IncomingMessage): string {
  const token = BEARER.exec(headers.authorization ?? '')?.[1]
  if (token === undefined) throw tokenMissing()
  return token
}

function tokenMissing(): Problem {
  return new Problem('token_missing', { headers: { 'WWW-Authenticate': 'Bearer realm="chat"' } })
}

function roleTooLow(): Problem {
  return new Problem('role_too_low', {
    headers: { 'WWW-Authenticate': 'Bearer realm="chat", error="insufficient_scope"' },
  })
}
