// npm run soak: two replicas under mixed traffic and faults for half an hour or longer; prints whether anything grows.
import { build, install, run } from './lib/prepare.mjs'

install()
build()
run(process.execPath, ['--import', 'tsx', 'test/soak/main.ts', ...process.argv.slice(2)], 'soak')
