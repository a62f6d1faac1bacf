import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { expect } from 'chai'
import { KnownFile } from '../../../src/core/files/known-file.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

type Content = { kind: 'text'; text: string } | { kind: 'missing' }

describe('a file that is known by its inode', () => {
  const directory = temporaryDirectory()
  let clock: ManualClock
  let reads: number
  beforeEach(function () {
    // What other systems call their file systems is not known: there every look reads.
    if (process.platform !== 'linux') this.skip()
    clock = manualClock()
    reads = 0
    writeFileSync(directory.path('a'), 'one')
  })

  const read = async (path: string): Promise<Content> => {
    reads += 1
    return existsSync(path) ? { kind: 'text', text: readFileSync(path, 'utf8') } : { kind: 'missing' }
  }
  /** Looks at it as if its last change was `agoMs` ago or more. */
  function looks(path: string, agoMs = 60_000): () => Promise<string> {
    const file = new KnownFile<Content>(clock, () => Date.now() + agoMs)
    return async () => {
      const content = await file.read(path, () => read(path))
      return content.kind === 'text' ? content.text : content.kind
    }
  }

  it('is read once while nothing happens to it', async () => {
    const look = looks(directory.path('a'))
    for (let at = 0; at < 5; at += 1) expect(await look()).to.equal('one')
    expect(reads).to.equal(1)
  })

  const changes: Record<string, (path: string) => void> = {
    'is written to, with as many bytes as it had': (path) => writeFileSync(path, 'two'),
    'is written to, and looks as old as before': (path) => {
      const { atime, mtime } = statSync(path)
      writeFileSync(path, 'two')
      utimesSync(path, atime, mtime)
    },
    'is deleted and made again, as the same inode where the system takes that': (path) => {
      const { atime, mtime } = statSync(path)
      rmSync(path)
      writeFileSync(path, 'two')
      utimesSync(path, atime, mtime)
    },
    'gets a second name': (path) => linkSync(path, `${path}.other`),
    'gets longer': (path) => writeFileSync(path, 'more'),
    'is replaced': (path) => {
      writeFileSync(`${path}.new`, 'two')
      renameSync(`${path}.new`, path)
    },
    'may be read by others': (path) => chmodSync(path, 0o600),
    'becomes a link': (path) => {
      writeFileSync(`${path}.real`, 'two')
      rmSync(path)
      symlinkSync(`${path}.real`, path)
    },
  }
  for (const [name, change] of Object.entries(changes))
    it(`is read again when it ${name}`, async () => {
      const path = directory.path('a')
      const look = looks(path)
      await look()
      change(path)
      expect(await look()).to.equal(readFileSync(path, 'utf8'))
      expect(reads).to.equal(2)
    })

  it('is read where a link above it leads now, as of a ConfigMap', async () => {
    for (const [name, text] of [
      ['v1', 'one'],
      ['v2', 'two'],
    ] as const) {
      mkdirSync(directory.path(name))
      writeFileSync(directory.path(name, 'flags'), text)
    }
    symlinkSync('v1', directory.path('..data'))
    symlinkSync('..data/flags', directory.path('flags'))
    const look = looks(directory.path('flags'))
    for (let at = 0; at < 2; at += 1) expect(await look()).to.equal('one')
    symlinkSync('v2', directory.path('..data_tmp'))
    renameSync(directory.path('..data_tmp'), directory.path('..data'))
    for (let at = 0; at < 2; at += 1) expect(await look()).to.equal('two')
    expect(reads).to.equal(2)
  })

  it('is read again where it changed while it was read', async () => {
    const path = directory.path('a')
    const file = new KnownFile<Content>(clock, () => Date.now() + 60_000)
    const look = () =>
      file.read(path, async () => {
        const content = await read(path)
        if (reads === 1) writeFileSync(path, 'two')
        return content
      })
    expect(await look()).to.deep.equal({ kind: 'text', text: 'one' })
    expect(await look()).to.deep.equal({ kind: 'text', text: 'two' })
  })

  it('is read each time soon after a change, and where its times lie in the future', async () => {
    for (const agoMs of [0, -60_000]) {
      reads = 0
      const look = looks(directory.path('a'), agoMs)
      for (let at = 0; at < 3; at += 1) await look()
      expect(reads).to.equal(3)
    }
  })

  it('is read each time soon after a change, however old it looks', async () => {
    utimesSync(directory.path('a'), 0, 0)
    const look = looks(directory.path('a'), 0)
    for (let at = 0; at < 3; at += 1) await look()
    expect(reads).to.equal(3)
  })

  it('is read each time where it is missing, and found when it is there', async () => {
    const look = looks(directory.path('b'))
    for (let at = 0; at < 3; at += 1) expect(await look()).to.equal('missing')
    expect(reads).to.equal(3)
    writeFileSync(directory.path('b'), 'two')
    expect(await look()).to.equal('two')
    rmSync(directory.path('b'))
    expect(await look()).to.equal('missing')
  })

  it('is not even looked for by its reader where the answer for a missing one is given', async () => {
    const file = new KnownFile<Content>(clock, () => Date.now() + 60_000)
    const path = directory.path('b')
    const look = () => file.read(path, () => read(path), { kind: 'missing' })
    expect(await look()).to.deep.equal({ kind: 'missing' })
    expect([reads, file.isKnown]).to.deep.equal([0, false])
    writeFileSync(path, 'two')
    for (let at = 0; at < 3; at += 1) expect(await look()).to.deep.equal({ kind: 'text', text: 'two' })
    expect([reads, file.isKnown]).to.deep.equal([1, true])
    rmSync(path)
    expect(await look()).to.deep.equal({ kind: 'missing' })
    expect([reads, file.isKnown]).to.deep.equal([1, false])
  })

  it('is read all the same after ten seconds', async () => {
    const look = looks(directory.path('a'))
    await look()
    clock.advance(9_999)
    await look()
    expect(reads).to.equal(1)
    clock.advance(1)
    await look()
    await look()
    expect(reads).to.equal(2)
  })

  it('is read each time on a file system that is not known to tell every change', async () => {
    const look = looks('/proc/self/limits')
    for (let at = 0; at < 3; at += 1) await look()
    expect(reads).to.equal(3)
  })
})
