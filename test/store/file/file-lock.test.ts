import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { expect } from 'chai'
import { type Clock, systemClock } from '../../../src/core/clock.js'
import { errorCode } from '../../../src/core/errors.js'
import { createFileFlagStore } from '../../../src/store/file/file-flag-store.js'
import { claimPath, FileLock } from '../../../src/store/file/file-lock.js'
import { isAbandoned, type LockOwner, newOwner } from '../../../src/store/file/lock-owner.js'
import type { FlagStore, WriteResult } from '../../../src/store/flag-store.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

const OVERRIDE = 'auto-fallback.flagd.json'
const LOCK = 'auto-fallback.lock'

/** The number of a process that is over. */
const deadPid = (): number => spawnSync('true').pid

/** A clock that only moves while a call waits for others; between its timers nothing looks at it, as the files take their time. */
class DrivenClock {
  readonly manual = manualClock()
  readonly clock: Clock = {
    ...this.manual,
    schedule: (ms, callback) => {
      const timer = this.manual.schedule(ms, callback)
      this.#wake()
      return timer
    },
  }
  #wake: () => void = () => undefined

  async drive<T>(call: Promise<T>): Promise<T> {
    let isOver = false
    const over = () => {
      isOver = true
      this.#wake()
    }
    call.then(over, over)
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      if (isOver) return call
      // one timer is the call's own deadline; a second one is its pause
      if (this.manual.pending() > 1) this.manual.step()
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

describe('the lock beside the override', () => {
  const directory = temporaryDirectory()
  let driven: DrivenClock
  let clock: ManualClock
  let store: FlagStore
  beforeEach(() => {
    driven = new DrivenClock()
    clock = driven.manual
    store = createFileFlagStore(directory.path(OVERRIDE), { clock: driven.clock, nonce: 'me' })
  })
  const leave = (owner: Partial<LockOwner>, name = LOCK): void =>
    writeFileSync(directory.path(name), JSON.stringify({ ...newOwner('other', 'other-1'), ...owner }))
  /** the name under which one who breaks the lock that is there removes it */
  const claimOnLock = (): string => claimPath(LOCK, readFileSync(directory.path(LOCK), 'utf8'))
  const names = () => readdirSync(directory.path()).sort()
  const write = (): Promise<WriteResult> => driven.drive(store.write('x', 'missing'))

  /** Writes again and again as the loop does; ms of the fake clock until it succeeds. */
  async function msUntilWritten(limitMs: number, between: () => void = () => undefined): Promise<number> {
    const since = clock.monotonic()
    for (;;) {
      const result = await write()
      if (result.kind === 'written') return clock.monotonic() - since
      if (result.kind !== 'failed' || result.fault.code !== 'lock_timeout')
        throw new Error(JSON.stringify(result))
      if (clock.monotonic() - since > limitMs) return Number.POSITIVE_INFINITY
      clock.advance(500)
      between()
    }
  }

  it('is broken at once where its process is gone', async () => {
    leave({ pid: deadPid() })
    expect(await msUntilWritten(0)).to.be.lessThan(100)
    expect(names()).to.deep.equal([OVERRIDE])
  })

  it('is broken at once where an earlier process had our number', async () => {
    leave({ pid: process.pid })
    expect(await msUntilWritten(0)).to.be.lessThan(100)
  })

  it('is not taken for ours where it could not be taken', async () => {
    writeFileSync(directory.path('no-directory'), '')
    const options = { clock, nonce: 'me', random: Math.random }
    const taking = new FileLock(options).acquire(directory.path('no-directory/lock'), async () => undefined)
    expect(errorCode(await taking.catch((thrown: unknown) => thrown))).to.equal('ENOTDIR')
    expect(isAbandoned(newOwner('me', 'me-1'), 0)).to.equal(true)
  })

  it('is broken within a second where a container of this name was restarted', async () => {
    leave({ pid: process.pid, space: 'pid:[1]' })
    expect(await msUntilWritten(0)).to.be.within(1_000, 1_100)
    leave({ pid: process.pid + 1, space: 'pid:[1]' })
    const expected = (await store.read()) as { hash: string }
    expect(await driven.drive(store.write('y', expected.hash))).to.have.nested.property(
      'fault.code',
      'lock_timeout',
    )
  })

  it('is waited for where its process lives, a second and a half for each call', async () => {
    leave({ pid: process.ppid })
    const since = clock.monotonic()
    const result = await write()
    expect(clock.monotonic() - since).to.be.within(1_500, 1_530)
    expect(result).to.have.nested.property('fault.code', 'lock_timeout')
    expect(result)
      .to.have.nested.property('fault.message')
      .that.includes(`held by process ${process.ppid} on ${hostname()}`)
    expect(names()).to.deep.equal([LOCK])
  })

  for (const [whose, owner] of [
    ['of another host', { host: 'elsewhere', pid: 1 }],
    ['of another container', { space: 'pid:[1]', pid: 2 }],
    ['of a process that lives', { pid: process.ppid }],
  ] as const) {
    it(`${whose} is broken once nothing changed in it for ten seconds`, async () => {
      leave(owner)
      expect(await msUntilWritten(60_000)).to.be.within(10_000, 12_000)
      expect(names()).to.deep.equal([OVERRIDE])
    })

    it(`${whose} is left alone while anything changes in it`, async () => {
      leave(owner)
      let at = 0
      const touch = () => {
        at += 1
        utimesSync(directory.path(LOCK), at, at)
      }
      expect(await msUntilWritten(20_000, touch)).to.equal(Number.POSITIVE_INFINITY)
      expect(existsSync(directory.path(LOCK))).to.equal(true)
    })
  }

  it('that names nobody is broken by time alone', async () => {
    for (const content of ['', '{', '{"pid": 0}', 'null']) {
      writeFileSync(directory.path(LOCK), content)
      expect(await msUntilWritten(60_000)).to.be.within(10_000, 12_500)
      rmSync(directory.path(OVERRIDE))
    }
  })

  it('is broken also where one who was about to break it is gone', async () => {
    leave({ pid: deadPid() })
    const claim = claimOnLock()
    leave({ pid: deadPid(), token: 'other-2' }, claim)
    expect(await msUntilWritten(0)).to.be.lessThan(200)
    expect(names()).to.deep.equal([OVERRIDE])
  })

  it('is waited for while another one breaks it', async () => {
    leave({ pid: deadPid() })
    const claim = claimOnLock()
    leave({ pid: process.ppid, token: 'other-2' }, claim)
    expect(await write()).to.have.nested.property('fault.code', 'lock_timeout')
    expect(names()).to.deep.equal([LOCK, claim].sort())
  })

  it('lets one in at a time also where many find it abandoned', async () => {
    const stores = Array.from({ length: 6 }, (_, at) =>
      createFileFlagStore(directory.path(OVERRIDE), { clock: systemClock, nonce: `s-${at}` }),
    )
    await stores[0]?.write('0', 'missing')
    let added = 0
    const add = async (each: FlagStore): Promise<void> => {
      for (;;) {
        const stored = await each.read()
        if (stored.kind !== 'text') throw new Error(stored.kind)
        const result = await each.write(String(Number(stored.text) + 1), stored.hash)
        if (result.kind === 'failed') throw new Error(result.fault.message)
        if (result.kind === 'conflict') continue
        added += 1
        return
      }
    }
    const pid = deadPid()
    for (let round = 0; round < 8; round += 1) {
      leave({ pid, token: `gone-${round}` })
      await Promise.all(stores.map(add))
    }
    expect(added).to.equal(48)
    expect(readFileSync(directory.path(OVERRIDE), 'utf8')).to.equal('48')
    expect(names()).to.deep.equal([OVERRIDE])
  })

  it('is held against other stores of the same process', async () => {
    let arrived: (() => void) | undefined
    let resume: (() => void) | undefined
    const holds = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const holder = createFileFlagStore(directory.path(OVERRIDE), {
      clock: manualClock(),
      nonce: 'holder',
      faults: {
        before: (step) => {
          if (step !== 'temp_open') return undefined
          arrived?.()
          return new Promise((resolve) => {
            resume = resolve
          })
        },
      },
    })
    const first = holder.write('first', 'missing')
    await holds
    expect(await write()).to.have.nested.property('fault.code', 'lock_timeout')
    resume?.()
    expect((await first).kind).to.equal('written')
    expect((await write()).kind).to.equal('conflict')
  })

  it('is given up by one who finds it taken from them', async () => {
    const slow = createFileFlagStore(directory.path(OVERRIDE), {
      clock: systemClock,
      nonce: 'slow',
      faults: {
        before: (step) => {
          if (step === 'check') leave({ pid: process.ppid, token: 'other-9' })
        },
      },
    })
    expect((await slow.write('x', 'missing')).kind).to.equal('conflict')
    expect(names()).to.deep.equal([LOCK])
  })
})
