// npm run fuzz: random bytes of upstreams, requests, flag files and overrides; prints what breaks. npm run fuzz -- --minutes 10 --seed 1
import { install, run } from './lib/prepare.mjs'

install()
run(process.execPath, ['--import', 'tsx', 'test/fuzz/main.ts', ...process.argv.slice(2)], 'fuzz')
