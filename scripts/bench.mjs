// npm run bench: sets everything up and measures; `npm run bench -- --help` tells what.
import { build, install, run } from './lib/prepare.mjs'

install()
build()
run(process.execPath, ['--import', 'tsx', 'bench/main.ts', ...process.argv.slice(2)], 'bench')
