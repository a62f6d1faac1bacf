import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { FlagStoreReader } from '../../../src/fallback/loop/store-reader.js'
import { createMemoryFiles, createMemoryFlagStore } from '../../../src/store/file/memory-flag-store.js'
import { parseOverride } from '../../../src/store/override/override-document.js'

describe('the reader of the store', () => {
  for (const [how, broken] of [
    [
      'throws',
      () => {
        throw new Error('store broke')
      },
    ],
    ['rejects', () => Promise.reject(new Error('store broke'))],
  ] as const)
    it(`answers a failed read where the store ${how}, and reads again`, async () => {
      const store = createMemoryFlagStore(createMemoryFiles())
      const read = store.read.bind(store)
      const reader = new FlagStoreReader(store, systemClock, parseOverride)
      store.read = broken
      const { flag } = await reader.read()
      expect(flag).to.deep.include({ kind: 'failed' })
      expect(flag.kind === 'failed' && flag.fault.message).to.contain('store broke')
      store.read = read
      expect((await reader.read()).flag.kind).not.to.equal('failed')
    })

  it('has one read under way where the file system hangs, however often it is asked', async () => {
    const store = createMemoryFlagStore(createMemoryFiles())
    let underWay = 0
    const hang = () => {
      underWay += 1
      return new Promise<never>(() => undefined)
    }
    store.read = hang
    store.readLease = hang
    const reader = new FlagStoreReader(store, systemClock, parseOverride)
    for (let asked = 0; asked < 3; asked += 1) expect((await reader.read()).flag.kind).to.equal('failed')
    expect(underWay).to.equal(1)
  })
})
