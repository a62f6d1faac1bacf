import { runRow } from './row.js'
import { FILE_ROWS } from './rows-files.js'
import { FLAGD_ROWS } from './rows-flagd.js'
import { KILL_ROWS } from './rows-kill.js'
import { RACE_ROWS } from './rows-race.js'
import { REPLICA_ROWS } from './rows-replicas.js'
import { RUNTIME_ROWS } from './rows-runtime.js'

for (const row of [
  ...RACE_ROWS,
  ...KILL_ROWS,
  ...REPLICA_ROWS,
  ...FILE_ROWS,
  ...RUNTIME_ROWS,
  ...FLAGD_ROWS,
].filter(({ name }) => process.argv.slice(2).some((a) => name.includes(a))))
  console.log(JSON.stringify(await runRow(row), null, 1))
process.exit(0)
