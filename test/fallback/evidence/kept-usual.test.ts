import { expect } from 'chai'
import type { KeptText, KeptTexts } from '../../../src/core/sqlite/kept-texts.js'
import { createKeptUsual } from '../../../src/fallback/evidence/kept-usual.js'
import { manualClock } from '../../support/manual-clock.js'
import { settled } from '../../support/turn-runner.js'

const DAY_MS = 86_400_000
const USUAL = { total: 600, errors: 120, timeouts: 30 }

function setUp() {
  const clock = manualClock()
  const kept = new Map<string, KeptText>()
  let writes = 0
  let trouble: 'none' | 'fails' | 'hangs' = 'none'
  const texts: KeptTexts = {
    read: async (name) => {
      if (trouble === 'fails') throw new Error('no database today')
      if (trouble === 'hangs') await new Promise(() => undefined)
      return kept.get(name)
    },
    keep(name, text) {
      writes += 1
      kept.set(name, { text, at: clock.wall() })
    },
    close: async () => undefined,
  }
  return {
    clock,
    kept,
    writes: () => writes,
    open: (url = 'http://runtime') => createKeptUsual(texts, url, clock),
    breaks: (how: typeof trouble) => {
      trouble = how
    },
  }
}

describe('what usually fails, from one start to the next', () => {
  it('is what an earlier process kept, of the same runtime', async () => {
    const { open } = setUp()
    open().keep(USUAL, 'now')
    expect(await open().load()).to.deep.equal(USUAL)
    expect(await open('http://another').load()).to.equal(undefined)
  })

  it('is forgotten after a day', async () => {
    const { open, clock } = setUp()
    open().keep(USUAL, 'now')
    clock.advance(DAY_MS - 1)
    expect(await open().load()).to.deep.equal(USUAL)
    clock.advance(1)
    expect(await open().load()).to.equal(undefined)
  })

  it('is written once a minute where it changed', async () => {
    const { open, clock, writes } = setUp()
    const usual = open()
    await usual.load()
    for (let second = 0; second < 300; second += 1) {
      usual.keep({ ...USUAL, total: USUAL.total + Math.floor(second / 120) })
      clock.advance(1000)
    }
    expect(writes()).to.equal(3)
  })

  it('is written a minute after the start, not sooner, and at once where that is asked for', async () => {
    const { open, clock, writes } = setUp()
    const usual = open()
    await usual.load()
    clock.advance(59_999)
    usual.keep(USUAL)
    expect(writes()).to.equal(0)
    clock.advance(1)
    usual.keep(USUAL)
    expect(writes()).to.equal(1)
    usual.keep({ ...USUAL, total: 700 }, 'now')
    usual.keep({ ...USUAL, total: 700 }, 'now')
    expect(writes()).to.equal(2)
    // The minute counts from the last time, written or not.
    clock.advance(59_999)
    usual.keep({ ...USUAL, total: 800 })
    expect(writes()).to.equal(2)
    clock.advance(1)
    usual.keep({ ...USUAL, total: 800 })
    expect(writes()).to.equal(3)
  })

  it('replaces what could not be read only by enough, or by nothing at all', () => {
    const { open, writes } = setUp()
    const few = { total: 99, errors: 1, timeouts: 0 }
    open().keep(few, 'now')
    expect(writes()).to.equal(0)
    open().keep({ ...few, total: 100 }, 'now')
    expect(writes()).to.equal(1)
    open().keep({ total: 0, errors: 0, timeouts: 0 }, 'now')
    expect(writes()).to.equal(2)
  })

  it('counts as not read where the answer came too late', async () => {
    const { open, clock, writes, breaks } = setUp()
    breaks('hangs')
    const usual = open()
    const loading = usual.load()
    clock.advance(1000)
    expect(await loading).to.equal(undefined)
    usual.keep({ total: 99, errors: 1, timeouts: 0 }, 'now')
    expect(writes()).to.equal(0)
  })

  it('may be little where it was read', async () => {
    const { open, writes } = setUp()
    const usual = open()
    await usual.load()
    usual.keep({ total: 1, errors: 1, timeouts: 0 }, 'now')
    expect(writes()).to.equal(1)
  })

  it('is read where all failed, or all timed out, and not where more failed than there were', async () => {
    const { open, kept, clock } = setUp()
    open().keep(USUAL, 'now')
    const [name = ''] = kept.keys()
    const read = (usual: object) => {
      kept.set(name, { text: JSON.stringify(usual), at: clock.wall() })
      return open().load()
    }
    const all = { total: 200, errors: 200, timeouts: 200 }
    expect(await read(all)).to.deep.equal(all)
    expect(await read({ ...all, errors: 201 })).to.equal(undefined)
    expect(await read({ ...all, errors: 100 })).to.equal(undefined)
  })

  it('is nothing where the database fails, hangs for a second, or holds something else', async () => {
    const { open, clock, kept, breaks } = setUp()
    open().keep(USUAL, 'now')
    const [name = ''] = kept.keys()
    expect(name).not.to.contain('runtime')
    breaks('fails')
    expect(await open().load()).to.equal(undefined)
    breaks('hangs')
    const loading = open().load()
    clock.advance(1000)
    expect(await loading).to.equal(undefined)
    breaks('none')
    for (const text of [
      '',
      '{',
      '[]',
      '{"total":1}',
      '{"total":5,"errors":6,"timeouts":0}',
      '{"total":-1,"errors":-2,"timeouts":-3}',
    ]) {
      kept.set(name, { text, at: clock.wall() })
      expect(await open().load(), text).to.equal(undefined)
    }
  })

  it('is not overwritten by the little that a process knows which could not read it', async () => {
    const { open, kept, breaks } = setUp()
    open().keep(USUAL, 'now')
    breaks('fails')
    const usual = open()
    await usual.load()
    await settled()
    usual.keep({ total: 99, errors: 0, timeouts: 0 }, 'now')
    breaks('none')
    expect(await open().load()).to.deep.equal(USUAL)
    usual.keep({ total: 100, errors: 0, timeouts: 0 }, 'now')
    expect(kept.size).to.equal(1)
    expect((await open().load())?.total).to.equal(100)
  })
})
