import type { Context } from 'mocha'

/** The machine has no such engine; the message says what to install or which URL to set. */
export class EngineMissing extends Error {
  override readonly name = 'EngineMissing'
}

const told = new Set<string>()

/**
 * Skips the suite or test, and prints the reason once.
 * @throws `missing` itself under CHAT_REQUIRE_ENGINES=1
 */
export function skipWithout(context: Context, missing: EngineMissing): never {
  if (process.env.CHAT_REQUIRE_ENGINES === '1') throw missing
  return skipOptional(context, missing)
}

/** The same for what most machines do not have: CHAT_REQUIRE_ENGINES does not ask for it. */
export function skipOptional(context: Context, missing: EngineMissing): never {
  if (!told.has(missing.message)) console.log(`      skipped: ${missing.message}`)
  told.add(missing.message)
  return context.skip()
}

/**
 * An engine for one `describe`: started before its first test. Where it is missing, the suite skips itself and the reason is
 * printed once; under CHAT_REQUIRE_ENGINES=1 it fails instead.
 * @param start throws EngineMissing
 * @param stop after the last test, where it was started
 * @returns the engine, for use in hooks and tests
 */
export function engine<T>(start: () => Promise<T>, stop?: (started: T) => Promise<void>): () => T {
  let started: { readonly value: T } | undefined
  before(async function () {
    this.timeout(60_000)
    try {
      started = { value: await start() }
    } catch (thrown) {
      if (!(thrown instanceof EngineMissing)) throw thrown
      skipWithout(this, thrown)
    }
  })
  after(async () => {
    if (started !== undefined) await stop?.(started.value)
  })
  return () => {
    if (started === undefined) throw new Error('the engine is there from the first `before` on')
    return started.value
  }
}
