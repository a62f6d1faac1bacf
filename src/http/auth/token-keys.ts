import { createSecretKey } from 'node:crypto'
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  type JWTVerifyResult,
  jwtVerify,
} from 'jose'
import type { TokenKeys } from '../../config.js'
import type { Clock, Timer } from '../../core/clock.js'
import { errorText } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import type { KeptTexts } from '../../core/sqlite/kept-texts.js'
import { keysNotRefreshed } from '../edge/edge-log.js'
import { boundedFetch } from './bounded-fetch.js'
import { KeptKeys } from './kept-keys.js'

/** `Ed25519` is the name that RFC 9864 gives to `EdDSA` with this curve. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']

/** Verifies signature and registered claims with the keys of its kind. */
export type VerifySignature = (token: string, options: JWTVerifyOptions) => Promise<JWTVerifyResult>

/** The public keys cannot be fetched: whether the token is good is not known. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable'
}

/** ms to wait for the key server; a request never waits longer */
const FETCH_MS = 2_000
/** ms between two tries until they are known */
const FETCH_AGAIN_MS = 1_000
/** failed tries in a row for one line in the log */
const TRIES_TOLD = 10
/** ms until keys are fetched again in the background; a key taken back is refused from then on */
const REFRESH_MS = 600_000
/** ... and after a failed fetch */
const REFRESH_AGAIN_MS = 60_000
/** ms between two fetches because of an unknown key id, so that made-up ids cannot flood the key server */
const UNKNOWN_KEY_MS = 5_000

/** The keys by which tokens are verified. */
export interface SigningKeys {
  readonly verify: VerifySignature
  /** Fetches them, and tries again until it has them. */
  start(): void
  /** `source` known; `kept`: those of an earlier run, from the database, are used; `nothing`: no token can be verified */
  origin(): 'source' | 'kept' | 'nothing'
  /** the last fetch failed: a key that is newer, or was taken back since, is not known */
  isUnreachable(): boolean
  close(): void
}

export interface SigningKeysDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** where public keys are kept for the next start; absent: nowhere */
  readonly kept?: KeptTexts
}

/** `algorithms` are pinned to the kind of key: a public key can never serve as an HMAC secret. */
export function createSigningKeys(keys: TokenKeys, deps: SigningKeysDeps): SigningKeys {
  if (keys.kind === 'jwks') return remoteKeys(keys.url, deps)
  const secret = createSecretKey(Buffer.from(keys.secret))
  return {
    verify: (token, options) => jwtVerify(token, secret, { ...options, algorithms: ['HS256'] }),
    start: () => undefined,
    origin: () => 'source',
    isUnreachable: () => false,
    close: () => undefined,
  }
}

function remoteKeys(url: URL, { clock, logger, kept }: SigningKeysDeps): SigningKeys {
  const keptKeys = new KeptKeys(url, kept, clock)
  // The set never goes stale for jose: known keys outlive a key server that is down, refreshed below.
  const keySet = createRemoteJWKSet(url, {
    timeoutDuration: FETCH_MS,
    [customFetch]: boundedFetch,
    // jose itself never fetches for an unknown key id: `forUnknownKey` does, and counts attempts, also failed ones.
    cooldownDuration: Number.POSITIVE_INFINITY,
    cacheMaxAge: Number.POSITIVE_INFINITY,
  })
  let isUnreachable = false
  const fetchKeys = async (): Promise<void> => {
    try {
      await keySet.reload()
      isUnreachable = false
    } catch (thrown) {
      isUnreachable = true
      throw thrown
    }
  }
  let refreshAt = clock.monotonic() + REFRESH_MS
  const refreshInBackground = (): void => {
    if (clock.monotonic() < refreshAt || keySet.jwks() === undefined) return
    refreshAt = clock.monotonic() + REFRESH_MS
    fetchKeys().catch((thrown) => {
      refreshAt = clock.monotonic() + REFRESH_AGAIN_MS
      keysNotRefreshed(logger, { error: errorText(thrown) })
    })
  }
  let unknownKeyAt = Number.NEGATIVE_INFINITY
  let fetching: Promise<void> | undefined
  /** Keys rotate at any moment: those who name an unknown one share a fetch, and are told to come back in between. */
  const forUnknownKey = (): Promise<void> => {
    if (fetching !== undefined) return fetching
    const now = clock.monotonic()
    if (now - unknownKeyAt < UNKNOWN_KEY_MS)
      throw new KeysUnavailable('the key id is unknown, and the keys were fetched a moment ago')
    unknownKeyAt = now
    fetching = fetchKeys().finally(() => {
      fetching = undefined
    })
    return fetching
  }
  const keyOf = async (...[header, token]: Parameters<typeof keySet>) => {
    const fresh = keySet.jwks() === undefined
    try {
      return await keySet(header, token)
    } catch (thrown) {
      if (fresh || !(thrown instanceof errors.JWKSNoMatchingKey)) throw thrown
      await forUnknownKey()
      return keySet(header, token)
    }
  }
  const getKey: JWTVerifyGetKey = async (header, token) => {
    refreshInBackground()
    try {
      const { keys } = keptKeys
      if (keySet.jwks() === undefined && keys !== undefined) return await keptKeyOf(keys, header, token)
      const key = await keyOf(header, token)
      keptKeys.keep(keySet.jwks())
      return key
    } catch (thrown) {
      if (thrown instanceof KeysUnavailable) throw thrown
      if (isAboutToken(thrown)) throw thrown
      throw new KeysUnavailable(errorText(thrown), { cause: thrown })
    }
  }
  let isClosed = false
  let nextFetch: Timer | undefined
  const fetchUntilKnown = async (failures = 0): Promise<void> => {
    try {
      await fetchKeys()
      keptKeys.keep(keySet.jwks())
    } catch (thrown) {
      if (failures % TRIES_TOLD === 0) keysNotRefreshed(logger, { error: errorText(thrown) })
      if (!isClosed) nextFetch = clock.schedule(FETCH_AGAIN_MS, () => void fetchUntilKnown(failures + 1))
    }
  }
  const verify: VerifySignature = async (token, options) => {
    const pinned = { ...options, algorithms: ALGORITHMS }
    try {
      return await jwtVerify(token, getKey, pinned)
    } catch (thrown) {
      if (!(thrown instanceof errors.JWKSMultipleMatchingKeys)) throw thrown
      return verifyWithAny(thrown, token, pinned)
    }
  }
  return {
    verify,
    start() {
      void keptKeys.load()
      void fetchUntilKnown()
    },
    origin() {
      if (keySet.jwks() !== undefined) return 'source'
      return keptKeys.keys === undefined ? 'nothing' : 'kept'
    },
    isUnreachable: () => isUnreachable,
    close() {
      isClosed = true
      nextFetch?.cancel()
      keptKeys.close()
    },
  }
}

/** A token without a key id: every key of its algorithm is tried. */
async function verifyWithAny(
  candidates: errors.JWKSMultipleMatchingKeys,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTVerifyResult> {
  for await (const key of candidates) {
    try {
      return await jwtVerify(token, key, options)
    } catch (thrown) {
      if (!(thrown instanceof errors.JWSSignatureVerificationFailed)) throw thrown
    }
  }
  throw new errors.JWSSignatureVerificationFailed()
}

/** A key that is not among them may be newer than they are: whether the token is good is not known. */
async function keptKeyOf(keys: JWTVerifyGetKey, ...[header, token]: Parameters<JWTVerifyGetKey>) {
  try {
    return await keys(header, token)
  } catch (thrown) {
    if (!(thrown instanceof errors.JWKSNoMatchingKey)) throw thrown
    throw new KeysUnavailable('the key is not among the kept ones, and the key server does not answer')
  }
}

/** The key server answered, and the token has no (one) key there, or names an algorithm it cannot have. */
function isAboutToken(thrown: unknown): boolean {
  return (
    thrown instanceof errors.JWKSNoMatchingKey ||
    thrown instanceof errors.JWKSMultipleMatchingKeys ||
    thrown instanceof errors.JOSENotSupported
  )
}
