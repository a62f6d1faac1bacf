// npm run simulate: plays many thousand hours of the fallback's judgement beside a runtime of which a share fails, and prints what trips.
import { install, run } from './lib/prepare.mjs'

install()
run(process.execPath, ['--import', 'tsx', 'test/fallback/grey/main.ts', ...process.argv.slice(2)], 'simulate')
