import { hash } from 'node:crypto'
import { createLocalJWKSet, type JSONWebKeySet, type JWK, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import type { Clock, Timer } from '../../core/clock.js'
import type { KeptTexts } from '../../core/sqlite/kept-texts.js'

/**
 * ms; older keys are not taken at a start, for one may have been taken back meanwhile. Those that were taken stay until the
 * key server answers, as fetched ones do.
 */
const TRUSTED_MS = 86_400_000
/** ms between two tries to read from a database that does not answer */
const RETRY_MS = 250

const keySetSchema = z.object({ keys: z.array(z.unknown()) })
const keySchema = z.looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) })
/** The public members of a key (RFC 7517, 7518): whatever else a key server gives out stays out of the database. */
const PUBLIC_MEMBERS = new Set(['kid', 'alg', 'use', 'n', 'e', 'crv', 'x', 'y'])

/** The public keys as they were fetched last, of one address, for a start at which its server does not answer. */
export class KeptKeys {
  readonly #name: string
  #keys: JWTVerifyGetKey | undefined
  #isRead = false
  #isClosed = false
  #retry: Timer | undefined
  #kept: JSONWebKeySet | undefined

  constructor(
    url: URL,
    private readonly texts: KeptTexts | undefined,
    private readonly clock: Clock,
  ) {
    // The address may hold a secret.
    this.#name = `signing-keys ${hash('sha256', url.href)}`
  }

  get keys(): JWTVerifyGetKey | undefined {
    return this.#keys
  }

  /** Ends when the database has answered, or at the close. Never rejects. */
  async load(): Promise<void> {
    while (this.texts !== undefined && !this.#isRead && !this.#isClosed)
      try {
        const kept = await this.texts.read(this.#name)
        if (kept !== undefined && this.clock.wall() - kept.at < TRUSTED_MS) this.#take(kept.text)
        this.#isRead = true
      } catch {
        await new Promise<void>((resolve) => {
          this.#retry = this.clock.schedule(RETRY_MS, resolve)
        })
      }
  }

  /** As fetched; the same object again says nothing new. */
  keep(fetched: JSONWebKeySet | undefined): void {
    if (fetched === undefined || fetched === this.#kept) return
    this.#kept = fetched
    const keys = publicKeys(fetched)
    if (keys.length > 0) this.texts?.keep(this.#name, JSON.stringify({ keys }))
  }

  close(): void {
    this.#isClosed = true
    this.#retry?.cancel()
  }

  #take(text: string): void {
    const keys = publicKeys(JSON.parse(text))
    if (keys.length > 0) this.#keys = createLocalJWKSet({ keys })
  }
}

function publicKeys(fetched: unknown): JWK[] {
  const set = keySetSchema.safeParse(fetched)
  if (!set.success) return []
  return set.data.keys.flatMap((key) => {
    const parsed = keySchema.safeParse(key)
    if (!parsed.success) return []
    const members = Object.entries(parsed.data).filter(
      (member): member is [string, string] => PUBLIC_MEMBERS.has(member[0]) && typeof member[1] === 'string',
    )
    return [{ ...Object.fromEntries(members), kty: parsed.data.kty }]
  })
}
