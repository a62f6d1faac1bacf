import { openSqlite } from '../../src/core/sqlite/sqlite.js'

/** Holds the write lock of the database from `lock` to `unlock`. */
const [path = ''] = process.argv.slice(2)
const database = openSqlite(path, { room: 'lock-process', migrations: [] })

process.on('message', (message) => {
  database.exec(message === 'lock' ? 'BEGIN IMMEDIATE' : 'COMMIT')
  process.send?.(`${String(message)}ed`)
})
process.send?.('ready')
