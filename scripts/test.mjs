// npm test: sets everything up and runs every test, in four processes where there are two cores. Arguments go to mocha:
// npm test -- --grep failover
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { compiled, compileTests, makePrograms } from './lib/compile-tests.mjs'
import { build, install, ROOT, run, say } from './lib/prepare.mjs'

install()
// test/project/tree.test.ts checks the types of src/ with those of the tests.
build({ types: false })
say('compiling the tests ...')
const { config, spec } = await compileTests()
const given = process.argv.slice(2).map((word) => (word.endsWith('.test.ts') ? compiled(word) : word))
const files = given.some((word) => word.endsWith('.test.js')) ? [] : spec
if (files.length > 0) await makePrograms()
say('running the tests ...')
// Four keep two cores busy, as some tests wait for real time. No more unless asked for (`npm test -- --jobs 6`): many run
// servers and children of their own beside their process.
const jobs = given.includes('--jobs') ? [] : ['--jobs', '4']
const parallel = availableParallelism() > 1 ? ['--parallel', ...jobs] : []
run(
  process.execPath,
  [
    join(ROOT, 'node_modules', 'mocha', 'bin', 'mocha.js'),
    '--config',
    config,
    ...parallel,
    ...given,
    ...files,
  ],
  'mocha',
)
