import { expect } from 'chai'
import type { FlagStore, Stored } from '../../src/store/flag-store.js'

/** What the suite needs of one kind of store. */
export interface StoreHouse {
  /** one replica's store; all share the same files */
  open(): FlagStore
  /** a person writes, or deletes */
  put(file: 'override' | 'lease', text: string | undefined): void
  get(file: 'override' | 'lease'): string | undefined
  /** copies kept aside, oldest first */
  keptAside(): readonly string[]
}

/** What every flag store does, in memory or on a disk. */
export function flagStoreContract(house: () => StoreHouse): void {
  const text = (stored: Stored) => (stored.kind === 'text' ? stored.text : stored)
  const hashOf = async (store: FlagStore) => {
    const stored = await store.read()
    return stored.kind === 'text' ? stored.hash : 'missing'
  }

  it('reads what is there', async () => {
    const store = house().open()
    expect(await store.read()).to.deep.equal({ kind: 'missing' })
    expect(await store.readLease()).to.deep.equal({ kind: 'missing' })
    house().put('override', '{"a": "机构"}\n')
    house().put('lease', '')
    expect(text(await store.read())).to.equal('{"a": "机构"}\n')
    expect(text(await store.readLease())).to.equal('')
  })

  it('knows contents by their bytes', async () => {
    const [one, other] = [house().open(), house().open()]
    house().put('override', '{}')
    const before = await hashOf(one)
    expect(await hashOf(other)).to.equal(before)
    house().put('override', '{} ')
    expect(await hashOf(one)).to.not.equal(before)
    house().put('override', '{}')
    expect(await hashOf(one)).to.equal(before)
  })

  it('writes where the content is the expected one, and tells its hash', async () => {
    const store = house().open()
    const first = await store.write('one', 'missing')
    if (first.kind !== 'written') throw new Error(first.kind)
    expect(house().get('override')).to.equal('one')
    expect(await hashOf(store)).to.equal(first.hash)
    const second = await store.write('two', first.hash)
    expect(second.kind).to.equal('written')
    expect(house().get('override')).to.equal('two')
  })

  it('writes nothing that could not be read again, and goes on', async () => {
    const store = house().open()
    house().put('override', 'one')
    const expected = await hashOf(store)
    const result = await store.write('机'.repeat(400_000), expected)
    expect(result.kind === 'failed' ? result.fault.code : result.kind).to.equal('EFBIG')
    expect(house().get('override')).to.equal('one')
    expect((await store.write('two', expected)).kind).to.equal('written')
  })

  it('writes nothing over what it did not expect, and says what is there', async () => {
    const store = house().open()
    house().put('override', 'one')
    const stale = await hashOf(store)
    house().put('override', 'two')
    for (const expected of [stale, 'missing', 'no hash'])
      expect(await store.write('three', expected)).to.deep.equal({
        kind: 'conflict',
        stored: await store.read(),
      })
    expect(house().get('override')).to.equal('two')
    house().put('override', undefined)
    expect(await store.write('three', stale)).to.deep.equal({ kind: 'conflict', stored: { kind: 'missing' } })
    expect(house().get('override')).to.equal(undefined)
  })

  it('keeps both files apart', async () => {
    const store = house().open()
    expect((await store.writeLease('mine', 'missing')).kind).to.equal('written')
    expect(await store.read()).to.deep.equal({ kind: 'missing' })
    expect((await store.write('on', 'missing')).kind).to.equal('written')
    expect([house().get('override'), house().get('lease')]).to.deep.equal(['on', 'mine'])
    expect((await store.writeLease('yours', 'missing')).kind).to.equal('conflict')
  })

  it('keeps aside what it replaces, where it is asked to', async () => {
    const store = house().open()
    house().put('override', '{torn')
    const kept = await store.write('whole', await hashOf(store), { keepAside: true })
    expect(kept.kind === 'written' ? kept.aside : '').to.match(/unreadable-\w+$/)
    expect([house().get('override'), house().keptAside()]).to.deep.equal(['whole', ['{torn']])
    expect(await store.write('again', await hashOf(store))).to.not.have.property('aside')
    await store.write('lost', 'missing', { keepAside: true })
    house().put('override', undefined)
    expect(await store.write('new', 'missing', { keepAside: true })).to.not.have.property('aside')
    expect([house().get('override'), house().keptAside()]).to.deep.equal(['new', ['{torn']])
  })

  it('lets one of those who write at once win', async () => {
    const stores = Array.from({ length: 6 }, () => house().open())
    house().put('override', 'start')
    const expected = await hashOf(stores[0] ?? house().open())
    const results = await Promise.all(stores.map((store, at) => store.write(`by ${at}`, expected)))
    const kinds = results.map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'written')).to.have.length(1)
    expect(kinds.filter((kind) => kind === 'conflict')).to.have.length(5)
    expect(house().get('override')).to.equal(`by ${kinds.indexOf('written')}`)
  })

  it('loses no update where all try again', async () => {
    house().put('override', '0')
    const add = async (store: FlagStore): Promise<void> => {
      for (let added = 0; added < 5; ) {
        const stored = await store.read()
        if (stored.kind !== 'text') throw new Error(stored.kind)
        const result = await store.write(String(Number(stored.text) + 1), stored.hash)
        if (result.kind === 'failed') throw new Error(result.fault.message)
        if (result.kind === 'written') added += 1
      }
    }
    const store = house().open()
    // two calls at once over one store, and others beside it
    await Promise.all([add(store), add(store), add(house().open()), add(house().open())])
    expect(house().get('override')).to.equal('20')
  })

  it('answers once it is closed', async () => {
    const store = house().open()
    const last = store.write('last', 'missing')
    await store.close()
    expect((await last).kind).to.equal('written')
    await store.close()
    for (const answer of [
      store.read(),
      store.write('x', 'missing'),
      store.readLease(),
      store.writeLease('x', 'missing'),
    ])
      expect(await answer)
        .to.have.nested.property('fault.code')
        .that.equals('closed')
    expect(house().get('override')).to.equal('last')
  })
}
