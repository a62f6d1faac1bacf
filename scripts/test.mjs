// npm test: sets everything up and runs every test. Arguments go to mocha: npm test -- --grep failover
import { join } from 'node:path'
import { build, install, ROOT, run, say } from './lib/prepare.mjs'

install()
build()
say('running the tests ...')
run(
  process.execPath,
  [join(ROOT, 'node_modules', 'mocha', 'bin', 'mocha.js'), ...process.argv.slice(2)],
  'mocha',
)
