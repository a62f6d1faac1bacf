// npm run flags:validate: finds what a daemon or provider would refuse in the flag files, before they see it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { build, install, ROOT, run } from './lib/prepare.mjs'

install()
if (!existsSync(join(ROOT, 'dist', 'cli', 'setup', 'flags-validate.js'))) build()
run(
  process.execPath,
  [join(ROOT, 'dist', 'cli', 'main.js'), 'flags', 'validate', ...process.argv.slice(2)],
  'flags:validate',
)
