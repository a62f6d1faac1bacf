// npm run bench: sets everything up and measures; `npm run bench -- relay` runs one of relay, latency, decision, streams, shadow, window, report.
import { build, install, run } from './lib/prepare.mjs'

install()
build()
run(process.execPath, ['--import', 'tsx', 'bench/main.ts', ...process.argv.slice(2)], 'bench')
