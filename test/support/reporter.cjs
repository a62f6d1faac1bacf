// mocha's spec reporter, then what a reader of the log looks for: which flagd and which engines it were, and one line of counts.
const { execFileSync } = require('node:child_process')
const { reporters } = require('mocha')
const { postgresKind, redisKind } = require('./engine-places.cjs')

function flagdKind() {
  const binary = process.env.FLAGD_BIN ?? 'flagd'
  try {
    const version = execFileSync(binary, ['version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    // A banner comes first in some versions.
    const line = version.split('\n').find((text) => text.startsWith('flagd')) ?? 'of an unknown version'
    return `the real flagd (${line.trim()})`
  } catch {
    return 'the flagd simulator (no daemon in FLAGD_BIN or on the PATH)'
  }
}

// Reached only when no test left anything open. Node 20 itself was once seen to spin for ever in freeing its handles after
// that (Environment::CleanupHandles); process.exit does not go there.
process.once('beforeExit', () => process.exit())

module.exports = class Reporter extends reporters.Spec {
  epilogue() {
    super.epilogue()
    const { passes, failures, pending } = this.stats
    process.stdout.write(`flags were tested against ${flagdKind()}\n`)
    process.stdout.write(`engines of the tests that need one: ${postgresKind()}, ${redisKind()}\n\n`)
    process.stdout.write(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}\n`)
  }
}
