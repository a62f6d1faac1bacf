import type { Context } from 'koa'
import type { Role } from '../../protocol/api.js'
import { Problem } from '../edge/problems.js'
import { hasRole, type Identity } from './claims.js'
import type { VerifyToken } from './token-verifier.js'

const BEARER = /^Bearer +([\w.~+/=-]+) *$/i

/** Who calls. @throws Problem 401 without a good token, 403 below the role, 503 when keys cannot be had */
export type Authenticate = (ctx: Context, least?: Role) => Promise<Identity>

export function createAuthenticate(verify: VerifyToken): Authenticate {
  return async (ctx, least = 'member') => {
    const token = BEARER.exec(ctx.get('Authorization'))?.[1]
    if (token === undefined) throw tokenMissing()
    const identity = await verify(token)
    if (!hasRole(identity, least)) throw roleTooLow()
    return identity
  }
}

function tokenMissing(): Problem {
  return new Problem('token_missing', { headers: { 'WWW-Authenticate': 'Bearer realm="chat"' } })
}

function roleTooLow(): Problem {
  return new Problem('role_too_low', {
    headers: { 'WWW-Authenticate': 'Bearer realm="chat", error="insufficient_scope"' },
  })
}
