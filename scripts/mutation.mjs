// npm run mutation -- [module...]: changes the code in small ways, one at a time, and counts the changes that no test notices.
import { install, run } from './lib/prepare.mjs'

install()
run(process.execPath, ['test/mutation/main.mjs', ...process.argv.slice(2)], 'mutation')
