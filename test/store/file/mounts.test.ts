import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { createFileFlagStore } from '../../../src/store/file/file-flag-store.js'
import type { FlagStore, WriteResult } from '../../../src/store/flag-store.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

const OVERRIDE = 'auto-fallback.flagd.json'

/** False where this system lets nobody here mount anything. */
const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0

async function overwrite(store: FlagStore, text: string): Promise<WriteResult> {
  const stored = await store.read()
  return store.write(text, stored.kind === 'text' ? stored.hash : 'missing')
}

describe('the flag store on real mounts', () => {
  let mounted: string[] = []
  // before the directory's own: what is mounted cannot be removed
  afterEach(() => {
    for (const each of mounted.reverse()) spawnSync('umount', [each])
  })
  const directory = temporaryDirectory()
  const path = () => directory.path('flags', OVERRIDE)
  const open = () => createFileFlagStore(path(), { clock: systemClock, nonce: 'me' })
  beforeEach(function () {
    mkdirSync(directory.path('flags'))
    mounted = [directory.path('flags')]
    if (mount('-t', 'tmpfs', '-o', 'size=16k', 'none', directory.path('flags'))) return
    console.log('      no tmpfs can be mounted here: the same faults are injected in file-flag-store.test.ts')
    mounted = []
    this.skip()
  })

  it('keeps the file where the disk is full, and writes again once it is not', async () => {
    const store = open()
    await store.write('one', 'missing')
    for (const left of [8192, 4096, 1])
      try {
        writeFileSync(directory.path('flags', `filler-${left}`), 'x'.repeat(left))
      } catch {
        // full
      }
    const result = await overwrite(store, 'two')
    expect(result).to.have.nested.property('fault.code', 'ENOSPC')
    expect(result)
      .to.have.nested.property('fault.message')
      .that.matches(/no space .* left on the device; free some/)
    expect(readFileSync(path(), 'utf8')).to.equal('one')
    rmSync(directory.path('flags', 'filler-8192'))
    expect((await overwrite(store, 'two')).kind).to.equal('written')
  })

  it('keeps the file where the disk is full but for the lock', async () => {
    const store = open()
    await store.write('one', 'missing')
    const result = await overwrite(store, 'x'.repeat(12_000))
    expect(result).to.have.nested.property('fault.code', 'ENOSPC')
    expect(readFileSync(path(), 'utf8')).to.equal('one')
    expect((await overwrite(store, 'two')).kind).to.equal('written')
  })

  it('reads, and says what to do, where the file system is read-only', async () => {
    const store = open()
    await store.write('one', 'missing')
    expect(mount('-o', 'remount,ro', directory.path('flags'))).to.equal(true)
    const result = await overwrite(store, 'two')
    expect(result).to.have.nested.property('fault.code', 'EROFS')
    expect(result)
      .to.have.nested.property('fault.message')
      .that.matches(/the file system is read-only/)
    expect(await store.read()).to.have.property('text', 'one')
    expect(mount('-o', 'remount,rw', directory.path('flags'))).to.equal(true)
    expect((await overwrite(store, 'two')).kind).to.equal('written')
  })

  it('says to mount the directory where the file alone is mounted', async () => {
    writeFileSync(directory.path('outside.json'), 'one')
    writeFileSync(path(), '')
    expect(mount('--bind', directory.path('outside.json'), path())).to.equal(true)
    mounted.push(path())
    const result = await overwrite(open(), 'two')
    expect(result).to.have.nested.property('fault.code', 'EBUSY')
    expect(result)
      .to.have.nested.property('fault.message')
      .that.matches(/mount its directory instead/)
    expect(readFileSync(directory.path('outside.json'), 'utf8')).to.equal('one')
  })
})
