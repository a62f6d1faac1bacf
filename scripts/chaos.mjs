// npm run chaos: breaks runtime, flagd, flag files, disk and replicas under traffic, and prints what the users saw of it.
import { build, install, run } from './lib/prepare.mjs'

install()
build()
run(process.execPath, ['--import', 'tsx', 'test/chaos/main.ts', ...process.argv.slice(2)], 'chaos')
