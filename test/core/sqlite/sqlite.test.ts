import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { expect } from 'chai'
import Database from 'libsql'
import { openSqlite, type SqliteDatabase, type SqliteSchema } from '../../../src/core/sqlite/sqlite.js'
import { isBusy, isStorageFault, SqliteOpenError } from '../../../src/core/sqlite/sqlite-errors.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'

const FIRST = 'CREATE TABLE things (name TEXT PRIMARY KEY, amount INTEGER) STRICT'
const SECOND = 'ALTER TABLE things ADD COLUMN note TEXT'
const schema = (...migrations: string[]): SqliteSchema => ({ room: 'things', migrations })

describe('a SQLite file', () => {
  const directory = temporaryDirectory()
  const opened: SqliteDatabase[] = []

  const open = (path: string, ...migrations: string[]): SqliteDatabase => {
    const database = openSqlite(path, schema(...migrations))
    opened.push(database)
    return database
  }
  const openFault = (path: string, ...migrations: string[]): string => {
    try {
      open(path, ...migrations)
    } catch (error) {
      expect(error).to.be.instanceOf(SqliteOpenError)
      return error instanceof Error ? error.message : ''
    }
    throw new Error('it opened')
  }
  const thrownBy = (work: () => unknown): unknown => {
    try {
      work()
    } catch (error) {
      return error
    }
    throw new Error('nothing was thrown')
  }
  afterEach(() => {
    for (const database of opened.splice(0)) database.close()
  })

  it('gives pages back that were freed, a few at a time, where many are free', () => {
    const file = directory.path('shrinks.db')
    const database = open(file, FIRST)
    const insert = database.prepare('INSERT INTO things VALUES (?, 1)')
    database.transaction(() => {
      for (let n = 0; n < 3_000; n += 1) insert.run(`${n}`.padEnd(2_000, 'x'))
    })
    database.truncateLog()
    const full = statSync(file).size
    database.exec('DELETE FROM things')
    database.giveBackPages()
    database.truncateLog()
    const first = statSync(file).size
    expect(first).to.be.within(full / 4, full - 3_000_000)
    for (let n = 0; n < 10; n += 1) database.giveBackPages()
    database.truncateLog()
    expect(statSync(file).size).to.be.below(full / 20)
    insert.run('still works')
  })

  it('keeps its log no larger than a burst needs', () => {
    const file = directory.path('burst.db')
    const one = open(file, FIRST)
    const other = open(file, FIRST)
    const insert = one.prepare('INSERT INTO things VALUES (?, ?)')
    const size = (): number => statSync(`${file}-wal`).size
    one.transaction(() => {
      for (let row = 0; row < 9_000; row += 1) insert.run(`${row}-${'x'.repeat(1_000)}`, row)
    })
    expect(size()).to.be.greaterThan(8_500_000)
    insert.run('after', 1)
    insert.run('after that', 1)
    expect(size()).to.be.at.most(4_194_304)
    other.truncateLog()
    expect(size()).to.equal(0)
    expect(other.prepare('SELECT count(*) FROM things').get()).to.deep.equal([9_002])
  })

  describe('that goes away', () => {
    const insertable = (): { file: string; insert: (name: string) => string; names: () => unknown } => {
      const file = directory.path(`gone-${opened.length}-${performance.now()}.db`)
      const database = open(file, FIRST)
      const insert = database.prepare('INSERT INTO things VALUES (?, 1)')
      const names = database.prepare('SELECT name FROM things ORDER BY name')
      return {
        file,
        insert: (name) => {
          try {
            database.transaction(() => insert.run(name))
            return 'written'
          } catch (error) {
            return isStorageFault(error) && !isBusy(error) ? 'a storage fault' : String(error)
          }
        },
        names: () => names.all().flat(),
      }
    }
    const move = (from: string, to: string): void => {
      for (const part of ['', '-wal', '-shm'])
        if (existsSync(`${from}${part}`)) renameSync(`${from}${part}`, `${to}${part}`)
    }

    it('is missed, never made anew, and used again when it is back', async () => {
      const { file, insert, names } = insertable()
      expect(insert('before')).to.equal('written')
      move(file, `${file}.away`)
      let lost = 0
      await until('it to be missed', () => insert(`lost-${lost++}`) === 'a storage fault')
      expect(existsSync(file)).to.equal(false)
      move(`${file}.away`, file)
      await until('it to be back', () => insert('after') === 'written')
      expect(names()).to.include.members(['before', 'after'])
    })

    it('is opened again where another took its place', async () => {
      const { file, insert, names } = insertable()
      expect(insert('before')).to.equal('written')
      const other = open(`${file}.other`, FIRST)
      other.prepare('INSERT INTO things VALUES (?, 1)').run('of the other')
      other.close()
      move(file, `${file}.away`)
      move(`${file}.other`, file)
      let count = 0
      await until('the other file', () => {
        insert(`after-${count++}`)
        return JSON.stringify(names()).includes('of the other')
      })
      expect(insert('after')).to.equal('written')
      expect(names()).to.not.include('before')
    })
  })

  it('leaves its log alone while somebody reads', () => {
    const file = directory.path('read.db')
    const one = open(file, FIRST)
    const other = open(file, FIRST)
    one.prepare('INSERT INTO things VALUES (?, ?)').run('a', 1)
    one.snapshot(() => {
      one.prepare('SELECT count(*) FROM things').get()
      other.prepare('INSERT INTO things VALUES (?, ?)').run('b', 1)
      other.truncateLog()
      expect(one.prepare('SELECT count(*) FROM things').get()).to.deep.equal([1])
    })
    other.truncateLog()
    expect(statSync(`${file}-wal`).size).to.equal(0)
  })

  describe('opened', () => {
    it('is made with its directory, and keeps what was written', () => {
      const path = directory.path('a', 'b', 'test.db')
      const first = open(path, FIRST)
      expect(first.prepare('INSERT INTO things VALUES (?, ?)').run('apple', 3)).to.equal(1)
      first.close()
      expect(open(path, FIRST).prepare('SELECT * FROM things').all()).to.deep.equal([['apple', 3]])
    })

    it('gets the migrations it does not have yet, once each', () => {
      const path = directory.path('test.db')
      open(path, FIRST).prepare('INSERT INTO things VALUES (?, ?)').run('apple', 3)
      for (let time = 0; time < 2; time += 1) {
        const rows = open(path, FIRST, SECOND).prepare('SELECT * FROM things').all()
        expect(rows).to.deep.equal([['apple', 3, null]])
      }
    })

    it('gets all migrations or none', () => {
      const path = directory.path('test.db')
      openFault(path, FIRST, 'CREATE TABLE nonsense (')
      expect(open(path, FIRST).prepare('SELECT count(*) FROM things').get()).to.deep.equal([0])
    })

    it('serves several rooms with a schema each', () => {
      const path = directory.path('test.db')
      open(path, FIRST, SECOND)
      const other = openSqlite(path, { room: 'others', migrations: ['CREATE TABLE others (id TEXT) STRICT'] })
      opened.push(other)
      expect(other.prepare('SELECT room, version FROM schema_versions ORDER BY room').all()).to.deep.equal([
        ['others', 1],
        ['things', 2],
      ])
    })
  })

  describe('that cannot be opened says why', () => {
    it('no database at all', () => {
      const path = directory.path('test.db')
      writeFileSync(path, 'This is a letter and no database. '.repeat(100))
      expect(openFault(path, FIRST)).to.equal(`the file ${path} is not a SQLite database`)
    })

    it('damaged', () => {
      const path = directory.path('test.db')
      open(path, FIRST).close()
      const file = openSync(path, 'r+')
      writeSync(file, Buffer.alloc(3_000, 0xff), 0, 3_000, 100)
      closeSync(file)
      expect(openFault(path, FIRST)).to.contain(`the database ${path} is damaged`)
    })

    it('of another program, and leaves it as it was', () => {
      const path = directory.path('test.db')
      const other = new Database(path)
      other.exec('CREATE TABLE cats (name TEXT)')
      other.close()
      const before = readFileSync(path)
      expect(openFault(path, FIRST)).to.contain(
        `the database ${path} belongs to another program: it has the table cats`,
      )
      expect(readFileSync(path).equals(before)).to.equal(true)
    })

    it('written by a newer version', () => {
      const path = directory.path('test.db')
      open(path, FIRST, SECOND)
      expect(openFault(path, FIRST))
        .to.contain('newer version')
        .and.contain('things: schema 2, known up to 1')
    })

    it('a directory', () => {
      mkdirSync(directory.path('test.db'))
      expect(openFault(directory.path('test.db'), FIRST)).to.contain('is a directory')
    })

    it('its directory cannot be made', () => {
      writeFileSync(directory.path('file'), '')
      expect(openFault(directory.path('file', 'test.db'), FIRST)).to.contain('cannot create the directory')
    })

    it('read-only', () => {
      const path = directory.path('test.db')
      open(path, FIRST).close()
      chmodSync(path, 0o444)
      chmodSync(directory.path(), 0o777)
      expect(withoutPrivileges(() => openFault(path, FIRST))).to.equal(`the database ${path} is not writable`)
    })

    it('its directory is read-only', () => {
      chmodSync(directory.path(), 0o555)
      const fault = withoutPrivileges(() => openFault(directory.path('test.db'), FIRST))
      expect(fault).to.match(/is not writable$|may this user write there/)
    })
  })

  describe('in use', () => {
    it('gives what was put in', () => {
      const database = open(':memory:', FIRST)
      const echo = database.prepare('SELECT ?, ?, ?, ?')
      expect(echo.get('text 🦊', 1.5, null, 4_294_967_296_000)).to.deep.equal([
        'text 🦊',
        1.5,
        null,
        4_294_967_296_000,
      ])
      expect(database.prepare('SELECT ?').get(null)).to.deep.equal([null])
      expect(database.prepare('SELECT * FROM things').get()).to.equal(undefined)
      expect(database.prepare('SELECT * FROM things').all()).to.deep.equal([])
    })

    it('takes back a transaction that throws, and goes on', () => {
      const database = open(':memory:', FIRST)
      const insert = database.prepare('INSERT INTO things VALUES (?, ?)')
      const fault = new Error('no')
      const thrown = thrownBy(() =>
        database.transaction(() => {
          insert.run('apple', 3)
          throw fault
        }),
      )
      expect(thrown).to.equal(fault)
      expect(database.transaction(() => insert.run('pear', 1))).to.equal(1)
      expect(database.prepare('SELECT name FROM things').all()).to.deep.equal([['pear']])
    })

    it('reads one instant in a snapshot', () => {
      const path = directory.path('test.db')
      const [reader, writer] = [open(path, FIRST), open(path, FIRST)]
      const count = reader.prepare('SELECT count(*) FROM things')
      reader.snapshot(() => {
        expect(count.get()).to.deep.equal([0])
        writer.prepare('INSERT INTO things VALUES (?, ?)').run('apple', 3)
        expect(count.get()).to.deep.equal([0])
      })
      expect(count.get()).to.deep.equal([1])
      expect(reader.transaction(() => count.get())).to.deep.equal([1])
    })

    it('is busy while another connection writes, and says so before anything was done', () => {
      const path = directory.path('test.db')
      const [a, b] = [open(path, FIRST), open(path, FIRST)]
      let done = false
      const thrown = a.transaction(() =>
        thrownBy(() =>
          b.transaction(() => {
            done = true
          }),
        ),
      )
      expect(isBusy(thrown)).to.equal(true)
      expect(isStorageFault(thrown)).to.equal(true)
      expect(done).to.equal(false)
      b.transaction(() => {
        done = true
      })
      expect(done).to.equal(true)
    })

    it('reads a snapshot while another connection writes, also after a write of its own was refused for that', () => {
      const path = directory.path('test.db')
      const [a, b] = [open(path, FIRST), open(path, FIRST)]
      const count = b.prepare('SELECT count(*) FROM things')
      a.transaction(() => {
        expect(isBusy(thrownBy(() => b.transaction(() => undefined)))).to.equal(true)
        expect(b.snapshot(() => count.get())).to.deep.equal([0])
      })
    })

    it('keeps no lock after a single write that was refused once', () => {
      const path = directory.path('test.db')
      const [a, b] = [open(path, FIRST), open(path, FIRST)]
      const insert = (into: typeof a, name: string) =>
        into.prepare('INSERT INTO things VALUES (?, 1)').run(name)
      a.transaction(() => expect(isBusy(thrownBy(() => insert(b, 'apple')))).to.equal(true))
      insert(b, 'pear')
      insert(a, 'plum')
      expect(a.prepare('SELECT name FROM things ORDER BY name').all()).to.deep.equal([['pear'], ['plum']])
    })

    it('tells a fault of ours from one of the storage', () => {
      const database = open(':memory:', FIRST)
      const insert = database.prepare('INSERT INTO things VALUES (?, ?)')
      insert.run('apple', 3)
      const thrown = thrownBy(() => insert.run('apple', 3))
      expect(isBusy(thrown)).to.equal(false)
      expect(isStorageFault(thrown)).to.equal(false)
      expect(isStorageFault(new Error('SQLITE_FULL'))).to.equal(false)
    })

    it('leaves no log behind when it is closed', () => {
      const path = directory.path('test.db')
      const database = open(path, FIRST)
      database.prepare('INSERT INTO things VALUES (?, ?)').run('apple', 3)
      database.close()
      // all of it is in the one file now
      const alone = directory.path('alone.db')
      writeFileSync(alone, readFileSync(path))
      expect(open(alone, FIRST).prepare('SELECT name FROM things').all()).to.deep.equal([['apple']])
    })
  })
})

/** Permissions do not bind root, as whom containers often run tests. */
function withoutPrivileges<T>(work: () => T): T {
  const { seteuid } = process
  if (seteuid === undefined || process.geteuid?.() !== 0) return work()
  seteuid(65_534)
  try {
    return work()
  } finally {
    seteuid(0)
  }
}
