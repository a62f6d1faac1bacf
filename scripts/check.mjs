// npm run check: format, lint, types, tests; what has to be green before a commit.
import { join } from 'node:path'
import { install, ROOT, run, say, takesNothing } from './lib/prepare.mjs'

takesNothing('Usage: npm run check\n\nFormat, lint, types and tests: what has to be green before a commit.\n')
install()
say('format and lint ...')
run(
  process.execPath,
  [join(ROOT, 'node_modules', '@biomejs', 'biome', 'bin', 'biome'), 'check', '.'],
  'biome',
)
say('types ...')
run(
  process.execPath,
  [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '--noEmit', '-p', 'test'],
  'tsc',
)
run(
  process.execPath,
  [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', join('src', 'console')],
  'tsc of the console',
)
run(process.execPath, [join(ROOT, 'scripts', 'test.mjs'), ...process.argv.slice(2)], 'npm test')
