// Holds the write lock of the database from `lock` to `unlock`. Plain JavaScript: it starts in a tenth of the time.
import Database from 'libsql'

const [path = ''] = process.argv.slice(2)
const database = new Database(path)

process.on('message', (message) => {
  database.exec(message === 'lock' ? 'BEGIN IMMEDIATE' : 'COMMIT')
  process.send?.(`${String(message)}ed`)
})
process.send?.('ready')
