// npm run test:clients: tries libraries that talk to OpenAI (AI SDK, LangChain, openai for Python) against the built service. They are
// too heavy for the package's own dependencies, so they are installed in a folder of their own. Arguments go to mocha.
import { join } from 'node:path'
import { build, install, ROOT, run, say } from './lib/prepare.mjs'

install()
build()
say('installing the clients ...')
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
const folder = join(ROOT, 'test', 'clients')
run(npm, ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci')
const mocha = join(ROOT, 'node_modules', 'mocha', 'bin', 'mocha.js')
run(
  process.execPath,
  [mocha, '--no-config', '--node-option', 'import=tsx', 'test/clients/*.spec.mjs', ...process.argv.slice(2)],
  'mocha',
)
