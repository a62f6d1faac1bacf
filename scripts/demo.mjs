// npm run demo: sets everything up, then `chat-cutover demo`. Options go through: npm run demo -- --fresh
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { build, install, ROOT, say } from './lib/prepare.mjs'

install()
build()
say('starting the service with simulated LLM and runtime ...')
const demo = spawn(
  process.execPath,
  [join(ROOT, 'dist', 'cli', 'main.js'), 'demo', ...process.argv.slice(2)],
  {
    cwd: ROOT,
    stdio: 'inherit',
  },
)
// Ctrl-C reaches the whole process group by itself; a plain kill has to be passed on.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => demo.kill('SIGTERM'))
// npm, when it is killed, takes its shell with it and leaves us behind: whoever lost its parent ends.
const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent) demo.kill('SIGTERM')
}, 500)
demo.on('exit', (code) => process.exit(code ?? 0))
