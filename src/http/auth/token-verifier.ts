import { hash } from 'node:crypto'
import { errors, type JWTVerifyOptions, type JWTVerifyResult } from 'jose'
import type { Config } from '../../config.js'
import type { Clock } from '../../core/clock.js'
import type { Logger } from '../../core/logger.js'
import { Problem, type ProblemName, retryLater } from '../edge/problems.js'
import { type Identity, identitySchema } from './claims.js'
import { createSigningKeys, KeysUnavailable, type SigningKeys, type VerifySignature } from './token-keys.js'

/** seconds the clocks of issuer and service may differ */
const CLOCK_TOLERANCE_S = 5
const MAX_CACHED = 10_000
/** ms a verified token is trusted without looking at the keys again: a key taken back is soon felt */
const TRUST_MS = 300_000

/** RFC 9068 and RFC 7519 names; a token without `typ` is one of ours too. */
const TYPES = new Set(['jwt', 'at+jwt', 'application/at+jwt', 'application/jwt'])

/** Turns a bearer token into who calls. @throws Problem 401 for a bad token, 503 when the keys cannot be had */
export type VerifyToken = (token: string) => Promise<Identity>

interface Trusted {
  readonly identity: Identity
  /** ms since the epoch */
  readonly until: number
}

/** Verified tokens are remembered by their hash, so that a turn costs a hash and not a signature. */
export function createTokenVerifier(
  auth: Config['auth'],
  deps: {
    readonly clock: Clock
    readonly logger: Logger
    readonly signingKeys?: Pick<SigningKeys, 'verify'>
  },
): VerifyToken {
  const { verify: check } = deps.signingKeys ?? createSigningKeys(auth.keys, deps)
  const trusted = new Map<string, Trusted>()
  return async (token) => {
    const key = hash('sha256', token, 'base64')
    const known = trusted.get(key)
    trusted.delete(key)
    const entry =
      known !== undefined && deps.clock.wall() < known.until ? known : await verify(token, check, auth, deps)
    trusted.set(key, entry)
    if (trusted.size > MAX_CACHED) dropOldest(trusted)
    return entry.identity
  }
}

function dropOldest(entries: Map<string, unknown>): void {
  const oldest = entries.keys().next()
  if (!oldest.done) entries.delete(oldest.value)
}

async function verify(
  token: string,
  check: VerifySignature,
  auth: Config['auth'],
  { clock }: { readonly clock: Clock },
): Promise<Trusted> {
  const now = clock.wall()
  const verified = await check(token, registeredClaims(auth, now)).catch((thrown) => {
    throw toProblem(thrown)
  })
  const { typ } = verified.protectedHeader
  if (typ !== undefined && !TYPES.has(String(typ).toLowerCase())) throw invalid('token_invalid')
  const identity = identitySchema.safeParse(verified.payload)
  if (!identity.success) throw invalid('token_claims')
  return { identity: identity.data, until: trustedUntil(verified, now) }
}

function registeredClaims(auth: Config['auth'], now: number): JWTVerifyOptions {
  return {
    requiredClaims: ['exp'],
    clockTolerance: CLOCK_TOLERANCE_S,
    currentDate: new Date(now),
    ...(auth.issuer === undefined ? {} : { issuer: auth.issuer }),
    ...(auth.audience === undefined ? {} : { audience: auth.audience }),
  }
}

function trustedUntil({ payload }: JWTVerifyResult, now: number): number {
  const expiry = ((payload.exp ?? 0) + CLOCK_TOLERANCE_S) * 1000
  return Math.min(expiry, now + TRUST_MS)
}

function toProblem(thrown: unknown): Problem {
  if (thrown instanceof KeysUnavailable) return retryLater('auth_unavailable', 5, thrown)
  if (thrown instanceof errors.JWTExpired) return invalid('token_expired')
  if (thrown instanceof errors.JWTClaimValidationFailed)
    return invalid(
      thrown.claim === 'nbf' && thrown.reason === 'check_failed' ? 'token_not_yet_valid' : 'token_claims',
    )
  // Whatever else jose throws, and whatever a key of the wrong kind makes it throw, is the token's fault.
  return invalid('token_invalid')
}

const DESCRIPTIONS: Partial<Record<ProblemName, string>> = {
  token_expired: 'the token has expired',
  token_not_yet_valid: 'the token is not valid yet',
  token_claims: 'a claim is missing or wrong',
  token_invalid: 'the token is malformed or its signature does not verify',
}

function invalid(problem: ProblemName): Problem {
  const description = DESCRIPTIONS[problem] ?? problem
  return new Problem(problem, {
    headers: {
      'WWW-Authenticate': `Bearer realm="chat", error="invalid_token", error_description="${description}"`,
    },
  })
}
