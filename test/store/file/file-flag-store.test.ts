import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { createFileFlagStore } from '../../../src/store/file/file-flag-store.js'
import { STORE_STEPS, type StoreStep } from '../../../src/store/file/steps.js'
import type { Expected, FlagStore, Stored, WriteResult } from '../../../src/store/flag-store.js'
import { saveByRename } from '../../support/flag-files.js'
import { manualClock } from '../../support/manual-clock.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'

const OVERRIDE = 'auto-fallback.flagd.json'

const systemError = (code: string) => Object.assign(new Error(`${code}: as the system says it`), { code })

async function expectedNow(store: FlagStore): Promise<Expected> {
  const stored = await store.read()
  if (stored.kind === 'failed') throw new Error(stored.fault.message)
  return stored.kind === 'text' ? stored.hash : 'missing'
}

const overwrite = async (store: FlagStore, text: string): Promise<WriteResult> =>
  store.write(text, await expectedNow(store))

/** As if nothing had been written for a minute: the times of files cannot be set back. */
async function aMinuteLater(run: () => Promise<void>): Promise<void> {
  const now = Date.now
  Date.now = () => now() + 60_000
  try {
    await run()
  } finally {
    Date.now = now
  }
}

describe('the files of the flag store', () => {
  const directory = temporaryDirectory()
  const path = () => directory.path(OVERRIDE)
  let nonce = 0
  const open = (at = path(), faults?: (step: StoreStep, path: string) => void | Promise<void>) => {
    nonce += 1
    return createFileFlagStore(at, {
      clock: systemClock,
      nonce: `n-${nonce}`,
      ...(faults === undefined ? {} : { faults: { before: faults } }),
    })
  }
  const names = () => readdirSync(directory.path()).sort()

  it('are the two, and nothing is left beside them', async () => {
    const store = open()
    await overwrite(store, 'one')
    await overwrite(store, 'two')
    await store.writeLease('mine', 'missing')
    expect(names()).to.deep.equal(['auto-fallback.flagd.json', 'auto-fallback.lease.json'])
    const named = open(directory.path('other.json'))
    await named.write('x', 'missing')
    await named.writeLease('x', 'missing')
    expect(names()).to.include.members(['other.json', 'other.lease.json'])
  })

  it('keep their mode, and a new one can be read by a daemon of another user', async () => {
    const store = open()
    await overwrite(store, 'one')
    expect(statSync(path()).mode & 0o777).to.equal(0o644)
    for (const mode of [0o600, 0o664]) {
      chmodSync(path(), mode)
      await overwrite(store, `mode ${mode}`)
      expect(statSync(path()).mode & 0o777).to.equal(mode)
    }
  })

  it('are written where a link leads to, and the link stays', async () => {
    mkdirSync(directory.path('real'))
    mkdirSync(directory.path('linked'))
    writeFileSync(directory.path('real', OVERRIDE), 'one')
    symlinkSync('../real', directory.path('linked', '..data'))
    symlinkSync(`..data/${OVERRIDE}`, directory.path('linked', OVERRIDE))
    const [linked, direct] = [
      open(directory.path('linked', OVERRIDE)),
      open(directory.path('real', OVERRIDE)),
    ]
    expect((await overwrite(linked, 'two')).kind).to.equal('written')
    expect(readlinkSync(directory.path('linked', OVERRIDE))).to.equal(`..data/${OVERRIDE}`)
    expect(readFileSync(directory.path('real', OVERRIDE), 'utf8')).to.equal('two')
    await linked.writeLease('mine', 'missing')
    expect(await direct.readLease()).to.have.property('text', 'mine')
    expect(readdirSync(directory.path('linked')).sort()).to.deep.equal(['..data', OVERRIDE])
  })

  it('are found where a link leads to now, long after anything changed', async () => {
    for (const name of ['v1', 'v2']) {
      mkdirSync(directory.path(name))
      writeFileSync(directory.path(name, OVERRIDE), name)
    }
    writeFileSync(directory.path('v2', 'auto-fallback.lease.json'), 'theirs')
    symlinkSync('v1', directory.path('current'))
    const textOf = async (stored: Promise<Stored>) => {
      const found = await stored
      return found.kind === 'text' ? found.text : found.kind
    }
    await aMinuteLater(async () => {
      const store = open(directory.path('current', OVERRIDE))
      const both = async () => [await textOf(store.read()), await textOf(store.readLease())]
      for (let look = 0; look < 3; look += 1) expect(await both()).to.deep.equal(['v1', 'missing'])
      writeFileSync(directory.path('v1', 'auto-fallback.lease.json'), 'mine')
      for (let look = 0; look < 3; look += 1) expect(await both()).to.deep.equal(['v1', 'mine'])
      symlinkSync('v2', directory.path('next'))
      renameSync(directory.path('next'), directory.path('current'))
      for (let look = 0; look < 3; look += 1) expect(await both()).to.deep.equal(['v2', 'theirs'])
      rmSync(directory.path('v2'), { recursive: true })
      expect(await both()).to.deep.equal(['failed', 'failed'])
    })
  })

  it('are looked for anew where the lease is asked for long after the override', async () => {
    for (const name of ['v1', 'v2']) {
      mkdirSync(directory.path(name))
      writeFileSync(directory.path(name, OVERRIDE), name)
      writeFileSync(directory.path(name, 'auto-fallback.lease.json'), `of ${name}`)
    }
    symlinkSync('v1', directory.path('current'))
    let passed = 0
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + passed }
    const store = createFileFlagStore(directory.path('current', OVERRIDE), { clock, nonce: 'n' })
    await store.read()
    expect(await store.readLease()).to.have.property('text', 'of v1')
    symlinkSync('v2', directory.path('next'))
    renameSync(directory.path('next'), directory.path('current'))
    passed = 100
    expect(await store.readLease()).to.have.property('text', 'of v2')
  })

  it('are made where a link leads to nothing yet', async () => {
    mkdirSync(directory.path('real'))
    symlinkSync(`real/${OVERRIDE}`, path())
    const store = open()
    expect(await store.read()).to.deep.equal({ kind: 'missing' })
    expect((await store.write('one', 'missing')).kind).to.equal('written')
    expect(lstatSync(path()).isSymbolicLink()).to.equal(true)
    expect(readFileSync(directory.path('real', OVERRIDE), 'utf8')).to.equal('one')
  })

  it('have the newest five copies kept aside', async () => {
    const clock = manualClock()
    const store = createFileFlagStore(path(), { clock, nonce: 'n' })
    for (let at = 0; at < 7; at += 1) {
      saveByRename(path(), `torn ${at}`)
      clock.advance(1000)
      expect((await store.write('{}', await expectedNow(store), { keepAside: true })).kind).to.equal(
        'written',
      )
    }
    const aside = names().filter((name) => name.includes('unreadable'))
    expect(aside[0]).to.equal(`${OVERRIDE}.unreadable-20260101T000003000Z`)
    expect(aside.map((name) => readFileSync(directory.path(name), 'utf8'))).to.deep.equal(
      [2, 3, 4, 5, 6].map((at) => `torn ${at}`),
    )
  })

  it('are rid of what killed writers left, once it is old', async () => {
    const [old, young] = [new Date(Date.now() - 120_000), new Date()]
    const left = [`${OVERRIDE}.cutover-x-1`, 'auto-fallback.lease.json.cutover-x-2', 'auto-fallback.lock.x-3']
    const others = [`${OVERRIDE}.tmp`, `${OVERRIDE}~`, 'chat.flagd.json', `${OVERRIDE}.unreadable-1`]
    const put = (name: string, at: Date) => {
      writeFileSync(directory.path(name), '')
      utimesSync(directory.path(name), at, at)
    }
    for (const name of [...left, ...others]) put(name, old)
    put(`${OVERRIDE}.cutover-y-1`, young)
    await overwrite(open(), 'one')
    expect(names()).to.deep.equal([...others, OVERRIDE, `${OVERRIDE}.cutover-y-1`].sort())
  })

  it('are not read beyond 4 MiB, nor where they are none', async () => {
    const store = open()
    writeFileSync(path(), 'x'.repeat(4 * 1024 * 1024))
    expect((await store.read()).kind).to.equal('text')
    writeFileSync(path(), 'x'.repeat(4 * 1024 * 1024 + 1))
    expect(await store.read()).to.have.nested.property('fault.code', 'EFBIG')
    expect(await store.write('{}', 'missing')).to.have.nested.property('fault.code', 'EFBIG')
    rmSync(path())
    mkdirSync(path())
    expect(await store.read()).to.have.nested.property('fault.code', 'EISDIR')
    expect(await store.write('{}', 'missing')).to.have.nested.property('fault.code', 'EISDIR')
    rmSync(path(), { recursive: true })
    if (spawnSync('mkfifo', [path()]).status === 0)
      expect(await store.read()).to.have.nested.property('fault.code', 'EISDIR')
  })

  it('need a directory, and heal once it is there', async () => {
    const store = open(directory.path('none', OVERRIDE))
    const result = await store.write('x', 'missing')
    expect(result).to.have.nested.property('fault.code', 'ENOENT')
    expect(result)
      .to.have.nested.property('fault.message')
      .that.matches(/cannot write .*none.*: there is no such directory; create it/)
    expect(await store.read()).to.have.nested.property('fault.code', 'ENOENT')
    mkdirSync(directory.path('none'))
    expect((await overwrite(store, 'x')).kind).to.equal('written')
  })

  for (const step of STORE_STEPS.filter((each) => each !== 'unlock'))
    for (const code of ['ENOSPC', 'EROFS', 'EIO'])
      it(`are whole, and heal, where "${step}" fails with ${code}`, async () => {
        let failing = true
        const store = open(path(), (at) => {
          if (failing && at === step) throw systemError(code)
        })
        writeFileSync(path(), 'one')
        const { hash } = { hash: await expectedNow(open()) }
        const result = await store.write('two', hash, { keepAside: true })
        expect(result).to.have.nested.property('fault.code', code)
        const replaced = step === 'directory_sync'
        expect(readFileSync(path(), 'utf8')).to.equal(replaced ? 'two' : 'one')
        expect(names().filter((name) => !name.includes('unreadable'))).to.deep.equal([OVERRIDE])
        if (!replaced) expect(names()).to.deep.equal([OVERRIDE])
        failing = false
        expect((await overwrite(store, 'three')).kind).to.equal('written')
        expect(readFileSync(path(), 'utf8')).to.equal('three')
      })

  it('are written though the lock cannot be given back, and the next call finds its own', async () => {
    let failing = true
    const store = open(path(), (step) => {
      if (failing && step === 'unlock') throw systemError('EIO')
    })
    expect((await store.write('one', 'missing')).kind).to.equal('written')
    expect(existsSync(directory.path('auto-fallback.lock'))).to.equal(true)
    failing = false
    expect((await overwrite(store, 'two')).kind).to.equal('written')
    expect((await overwrite(open(), 'three')).kind).to.equal('written')
    expect(existsSync(directory.path('auto-fallback.lock'))).to.equal(false)
  })

  it('keep what a person saves while a write is under way', async () => {
    for (const step of ['temp_open', 'temp_sync', 'check'] as const) {
      const store = open(path(), (at) => {
        if (at === step) saveByRename(path(), `by hand before ${step}`)
      })
      saveByRename(path(), 'one')
      expect(await overwrite(store, 'two')).to.have.nested.property('stored.text', `by hand before ${step}`)
      expect(readFileSync(path(), 'utf8')).to.equal(`by hand before ${step}`)
    }
    rmSync(path())
    const store = open(path(), (at) => {
      if (at === 'rename') writeFileSync(path(), 'made by hand')
    })
    expect(await store.write('two', 'missing')).to.have.nested.property('stored.text', 'made by hand')
    expect(names()).to.deep.equal([OVERRIDE])
  })

  for (const step of STORE_STEPS.filter((each) => each !== 'keep_aside'))
    it(`are answered for in time where "${step}" hangs, and not touched afterwards`, async () => {
      const clock = manualClock()
      let resume: (() => void) | undefined
      let hangs = true
      const store = createFileFlagStore(path(), {
        clock,
        nonce: 'n',
        faults: {
          before: (at) =>
            at === step && hangs
              ? new Promise((resolve) => {
                  resume = resolve
                })
              : undefined,
        },
      })
      writeFileSync(path(), 'one')
      const hash = await expectedNow(open())
      const answers = [store.write('two', hash), store.write('three', hash)]
      await until(`the write to hang at ${step}`, () => resume !== undefined)
      clock.advance(2_000)
      for (const answer of answers) expect(await answer).to.have.nested.property('fault.code', 'ETIMEDOUT')
      const closed = store.close()
      clock.advance(2_000)
      await closed
      hangs = false
      resume?.()
      await until('the lock to be free', () => !names().some((name) => name.includes('lock')))
      const isDone = step === 'directory_sync' || step === 'unlock'
      expect([readFileSync(path(), 'utf8'), names()]).to.deep.equal([isDone ? 'two' : 'one', [OVERRIDE]])
    })
})
