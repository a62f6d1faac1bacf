import { hash } from 'node:crypto'
import { expect } from 'chai'
import type { FlagStore, Stored } from '../../src/store/flag-store.js'

/** What the suite needs of one kind of store. */
export interface StoreHouse {
  /** one replica's store; all share the same files */
  open(): FlagStore
  /** a person writes, or deletes */
  put(file: 'override' | 'lease', text: string | undefined): void | Promise<void>
  get(file: 'override' | 'lease'): string | undefined | Promise<string | undefined>
  /** copies kept aside, oldest first */
  keptAside(): readonly string[] | Promise<readonly string[]>
  /** a content that the store can hold, as a person writes it, with this in it; default: any text is one */
  content?(label: string): string
  /** ... and what is in it */
  labelOf?(content: string): string
}

/** What every flag store does: in memory, on a disk, in an engine. */
export function flagStoreContract(house: () => StoreHouse): void {
  const text = (stored: Stored) => (stored.kind === 'text' ? stored.text : stored)
  const content = (label: string) => house().content?.(label) ?? label
  const labelOf = (of: string) => house().labelOf?.(of) ?? of
  const hashOf = async (store: FlagStore) => {
    const stored = await store.read()
    return stored.kind === 'text' ? stored.hash : 'missing'
  }

  it('reads what is there', async () => {
    const store = house().open()
    expect(await store.read()).to.deep.equal({ kind: 'missing' })
    expect(await store.readLease()).to.deep.equal({ kind: 'missing' })
    await house().put('override', content('机构 "a"'))
    await house().put('lease', content(''))
    expect(text(await store.read())).to.equal(content('机构 "a"'))
    expect(text(await store.readLease())).to.equal(content(''))
  })

  it('knows contents by their bytes', async () => {
    const [one, other] = [house().open(), house().open()]
    await house().put('override', content('{}'))
    const before = await hashOf(one)
    expect(await hashOf(other)).to.equal(before)
    await house().put('override', content('{} '))
    expect(await hashOf(one)).to.not.equal(before)
    await house().put('override', content('{}'))
    expect(await hashOf(one)).to.equal(before)
  })

  it('writes where the content is the expected one, and tells its hash', async () => {
    const store = house().open()
    const first = await store.write(content('one'), 'missing')
    if (first.kind !== 'written') throw new Error(first.kind)
    expect(await house().get('override')).to.equal(content('one'))
    expect(await hashOf(store)).to.equal(first.hash)
    const second = await store.write(content('two'), first.hash)
    expect(second.kind).to.equal('written')
    expect(await house().get('override')).to.equal(content('two'))
  })

  it('gives the hash of the bytes it reads, and keeps each byte', async () => {
    const store = house().open()
    const written = `${content('one')}  \n`
    expect((await store.write(written, 'missing')).kind).to.equal('written')
    expect(await house().open().read()).to.deep.equal({
      kind: 'text',
      text: written,
      hash: hash('sha256', written),
    })
  })

  it('writes nothing that could not be read again, and goes on', async () => {
    const store = house().open()
    await house().put('override', content('one'))
    const expected = await hashOf(store)
    const result = await store.write(content('机'.repeat(400_000)), expected)
    expect(result.kind === 'failed' ? result.fault.code : result.kind).to.equal('EFBIG')
    expect(await house().get('override')).to.equal(content('one'))
    expect((await store.write(content('two'), expected)).kind).to.equal('written')
  })

  it('writes nothing over what it did not expect, and says what is there', async () => {
    const store = house().open()
    await house().put('override', content('one'))
    const stale = await hashOf(store)
    await house().put('override', content('two'))
    for (const expected of [stale, 'missing', 'no hash'])
      expect(await store.write(content('three'), expected)).to.deep.equal({
        kind: 'conflict',
        stored: await store.read(),
      })
    expect(await house().get('override')).to.equal(content('two'))
    await house().put('override', undefined)
    expect(await store.write(content('three'), stale)).to.deep.equal({
      kind: 'conflict',
      stored: { kind: 'missing' },
    })
    expect(await house().get('override')).to.equal(undefined)
  })

  it('keeps both files apart', async () => {
    const store = house().open()
    expect((await store.writeLease(content('mine'), 'missing')).kind).to.equal('written')
    expect(await store.read()).to.deep.equal({ kind: 'missing' })
    expect((await store.write(content('on'), 'missing')).kind).to.equal('written')
    expect([await house().get('override'), await house().get('lease')]).to.deep.equal([
      content('on'),
      content('mine'),
    ])
    expect((await store.writeLease(content('yours'), 'missing')).kind).to.equal('conflict')
  })

  it('gives each renewal of a lease another hash', async () => {
    const store = house().open()
    const hashes = new Set<string>()
    let expected = 'missing'
    for (let counter = 1; counter <= 3; counter += 1) {
      const at = '2026-01-01T00:00:00.000Z'
      const result = await store.writeLease(`${JSON.stringify({ owner: 'a', counter, at })}\n`, expected)
      if (result.kind !== 'written') throw new Error(result.kind)
      const stored = await house().open().readLease()
      expect(stored).to.have.property('hash', result.hash)
      expected = result.hash
      hashes.add(result.hash)
    }
    expect(hashes.size).to.equal(3)
  })

  it('keeps aside what it replaces, where it is asked to', async () => {
    const store = house().open()
    await house().put('override', content('{torn'))
    const kept = await store.write(content('whole'), await hashOf(store), { keepAside: true })
    expect(kept.kind === 'written' ? kept.aside : '').to.match(/unreadable-\w+$/)
    const expectKept = async (label: string) =>
      expect([await house().get('override'), await house().keptAside()]).to.deep.equal([
        content(label),
        [content('{torn')],
      ])
    await expectKept('whole')
    expect(await store.write(content('again'), await hashOf(store))).to.not.have.property('aside')
    await store.write(content('lost'), 'missing', { keepAside: true })
    await house().put('override', undefined)
    await house().put('override', content('{torn'))
    await store.write(content('new'), await hashOf(store))
    expect(await house().get('override')).to.equal(content('new'))
  })

  it('keeps nothing aside where nothing is replaced', async () => {
    const store = house().open()
    expect(await store.write(content('new'), 'missing', { keepAside: true })).to.not.have.property('aside')
    expect(await house().get('override')).to.equal(content('new'))
    expect(await house().keptAside()).to.deep.equal([])
    expect((await store.write(content('x'), 'no hash', { keepAside: true })).kind).to.equal('conflict')
    expect(await house().keptAside()).to.deep.equal([])
  })

  it('lets one of those who write at once win', async () => {
    const stores = Array.from({ length: 6 }, () => house().open())
    await house().put('override', content('start'))
    const expected = await hashOf(stores[0] ?? house().open())
    const results = await Promise.all(stores.map((store, at) => store.write(content(`by ${at}`), expected)))
    const kinds = results.map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'written')).to.have.length(1)
    expect(kinds.filter((kind) => kind === 'conflict')).to.have.length(5)
    expect(await house().get('override')).to.equal(content(`by ${kinds.indexOf('written')}`))
  })

  it('lets one of those who make it at once win', async () => {
    const stores = Array.from({ length: 6 }, () => house().open())
    const results = await Promise.all(stores.map((store, at) => store.write(content(`by ${at}`), 'missing')))
    const kinds = results.map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'written')).to.have.length(1)
    expect(kinds.filter((kind) => kind === 'conflict')).to.have.length(5)
  })

  it('loses no update where all try again', async () => {
    await house().put('override', content('0'))
    const add = async (store: FlagStore): Promise<void> => {
      for (let added = 0; added < 5; ) {
        const stored = await store.read()
        if (stored.kind !== 'text') throw new Error(stored.kind)
        const result = await store.write(content(String(Number(labelOf(stored.text)) + 1)), stored.hash)
        if (result.kind === 'failed') throw new Error(result.fault.message)
        if (result.kind === 'written') added += 1
      }
    }
    const store = house().open()
    // two calls at once over one store, and others beside it
    await Promise.all([add(store), add(store), add(house().open()), add(house().open())])
    expect(await house().get('override')).to.equal(content('20'))
  })

  it('answers once it is closed', async () => {
    const store = house().open()
    const last = store.write(content('last'), 'missing')
    await store.close()
    expect((await last).kind).to.equal('written')
    await store.close()
    for (const answer of [
      store.read(),
      store.write(content('x'), 'missing'),
      store.readLease(),
      store.writeLease(content('x'), 'missing'),
    ])
      expect(await answer)
        .to.have.nested.property('fault.code')
        .that.equals('closed')
    expect(await house().get('override')).to.equal(content('last'))
  })
}
