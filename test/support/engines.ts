/** The machine has no such engine; the message says what to install or which URL to set. */
export class EngineMissing extends Error {
  override readonly name = 'EngineMissing'
}

const told = new Set<string>()

/**
 * An engine for one `describe`: started before its first test. Where it is missing, the suite skips itself and the reason is
 * printed once; under CHAT_REQUIRE_ENGINES=1 it fails instead.
 * @param start throws EngineMissing
 * @returns the engine, for use in hooks and tests
 */
export function engine<T>(start: () => Promise<T>): () => T {
  let started: { readonly value: T } | undefined
  before(async function () {
    this.timeout(60_000)
    try {
      started = { value: await start() }
    } catch (thrown) {
      if (!(thrown instanceof EngineMissing) || process.env.CHAT_REQUIRE_ENGINES === '1') throw thrown
      if (!told.has(thrown.message)) console.log(`      skipped: ${thrown.message}`)
      told.add(thrown.message)
      this.skip()
    }
  })
  return () => {
    if (started === undefined) throw new Error('the engine is there from the first `before` on')
    return started.value
  }
}
