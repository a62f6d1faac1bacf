import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { directoriesOf } from '../../../src/simulator/flagd/flagd-directories.js'
import { FlagFiles } from '../../../src/simulator/flagd/flagd-files.js'
import { type ProviderProbe, stringFlags, useFlagd, within } from '../../support/flagd-fixture.js'

const UNHARMED = [
  ['empty', ''],
  ['torn', '{"flags": {"a": {"state"'],
  ['{}', '{}'],
  ['null', 'null'],
  ['no flags', '{"$evaluators": {}}'],
  ['BOM', `\uFEFF${stringFlags({ a: 'two' })}`],
  [
    'a default variant that is none',
    stringFlags({ a: 'two' }).replace('"defaultVariant":"two"', '"defaultVariant":"2"'),
  ],
] as const

describe('flagd simulator, changing flag files', () => {
  const flagd = useFlagd()

  /** Two files, a provider that watches, and a way to know that everything written before was seen. */
  async function watched() {
    const ops = flagd().write('ops.json', stringFlags({ a: 'one' }))
    const other = flagd().write('other.json', stringFlags({ marker: '0' }))
    const provider = await flagd().provider(await flagd().simulator({ files: [ops, other] }), 'rpc')
    let marks = 0
    const settle = async () => {
      flagd().write('other.json', stringFlags({ marker: String(++marks) }))
      await provider.until(
        'marker',
        () => provider.changes.filter(([key]) => key === 'marker').length === marks,
      )
      return provider.changes.filter(([key]) => key !== 'marker')
    }
    return { ops, provider, settle }
  }

  const value = (provider: ProviderProbe) => provider.outcome(provider.string('a'))

  for (const [name, text] of UNHARMED) {
    it(`keeps the old flags, without an event: ${name}`, async () => {
      const { ops, provider, settle } = await watched()
      flagd().write('ops.json', text)
      expect(await settle()).to.deep.equal([])
      writeFileSync(ops, text)
      expect(await settle()).to.deep.equal([])
      expect(await value(provider)).to.equal('one')
      flagd().write('ops.json', stringFlags({ a: 'three' }))
      expect(await settle()).to.deep.equal([['a']])
      expect(await value(provider)).to.equal('three')
    })
  }

  it('keeps the flags of a deleted file and takes it back when it returns', async () => {
    const { ops, provider, settle } = await watched()
    rmSync(ops)
    expect(await settle()).to.deep.equal([])
    expect(await value(provider)).to.equal('one')
    flagd().write('ops.json', stringFlags({ a: 'two' }))
    expect(await settle()).to.deep.equal([['a']])
  })

  it('wipes the flags of a file that says there are none, and of no other', async () => {
    const { provider, settle } = await watched()
    flagd().write('ops.json', '{"flags": {}}')
    expect(await settle()).to.deep.equal([['a']])
    expect(await value(provider)).to.equal('FLAG_NOT_FOUND')
  })

  it('has nothing to tell when a file is only written in another way', async () => {
    const { provider, settle } = await watched()
    flagd().write('ops.json', ` ${stringFlags({ a: 'one' })}\n`)
    expect(await settle()).to.deep.equal([])
    expect(await value(provider)).to.equal('one')
  })

  it('sees a file written in place', async () => {
    const { ops, provider, settle } = await watched()
    writeFileSync(ops, stringFlags({ a: 'two' }))
    expect(await settle()).to.deep.equal([['a']])
    expect(await value(provider)).to.equal('two')
  })

  it('sees a ConfigMap whose link is swapped, twice', async () => {
    const at = (...parts: string[]) => join(flagd().directory, ...parts)
    const publish = (name: string, text: string) => {
      mkdirSync(at(name))
      writeFileSync(at(name, 'ops.json'), text)
      symlinkSync(name, at('..data_tmp'))
      renameSync(at('..data_tmp'), at('..data'))
    }
    publish('..v1', stringFlags({ a: 'one' }))
    symlinkSync(join('..data', 'ops.json'), at('ops.json'))
    const provider = await flagd().provider(
      await flagd().simulator({ files: [at('ops.json')] }),
      'in-process',
    )
    for (const [index, text] of ['two', 'three'].entries()) {
      publish(`..v${index + 2}`, stringFlags({ a: text }))
      rmSync(at(`..v${index + 1}`), { recursive: true })
      await provider.until(text, () => provider.changes.length === index + 1)
      expect(await value(provider)).to.equal(text)
    }
  })

  it('starts with a broken file, without its flags', async () => {
    const files = [flagd().write('ops.json', ''), flagd().write('other.json', stringFlags({ b: 'one' }))]
    const provider = await flagd().provider(await flagd().simulator({ files }), 'in-process')
    expect(await provider.outcome(provider.string('b'))).to.equal('one')
    expect(await value(provider)).to.equal('FLAG_NOT_FOUND')
    flagd().write('ops.json', stringFlags({ a: 'one' }))
    await provider.until('mended', () => provider.changes.length === 1)
    expect(await value(provider)).to.equal('one')
  })

  it('does not start without a file, and names every missing one', async () => {
    const files = ['no.json', 'nor.json'].map((name) => join(flagd().directory, name))
    const error = await flagd()
      .simulator({ files })
      .catch((thrown: Error) => thrown)
    expect(String(error))
      .to.contain(`flag file not found: ${files[0]}`)
      .and.to.contain(`flag file not found: ${files[1]}`)
  })

  it('sees nothing while its watch is lost, and all of it after', async () => {
    const file = flagd().write('ops.json', stringFlags({ a: 'one' }))
    const simulator = await flagd().simulator({ files: [file] })
    const provider = await flagd().provider(simulator, 'rpc')
    simulator.faults.set({ dropWatch: true })
    await seenByAnotherWatch(flagd().directory, () => flagd().write('ops.json', stringFlags({ a: 'two' })))
    expect(await value(provider)).to.equal('one')
    simulator.faults.set({})
    await provider.until('seen again', () => provider.changes.length === 1)
    expect(await value(provider)).to.equal('two')
  })
})

describe('flagd simulator, watching', () => {
  let directory = ''
  beforeEach(() => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), 'flagd-watch-')))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  it('never looks again at a file that was gone for more than three seconds', async () => {
    const file = join(directory, 'ops.json')
    const clock = new StoppedClock()
    const texts: string[] = []
    writeFileSync(file, 'one')
    const files = new FlagFiles([file], clock, (_file, text) => texts.push(text))
    try {
      files.start()
      await seenByAnotherWatch(directory, () => rmSync(file))
      expect(clock.pending).to.equal(3000)
      await seenByAnotherWatch(directory, () => writeFileSync(file, 'two'))
      expect(clock.pending).to.equal(undefined)
      await seenByAnotherWatch(directory, () => rmSync(file))
      clock.fire()
      await seenByAnotherWatch(directory, () => writeFileSync(file, 'three'))
      expect(texts.filter((text) => text !== '')).to.deep.equal(['one', 'two'])
    } finally {
      files.close()
    }
  })

  it('covers every directory on the way of the links', () => {
    mkdirSync(join(directory, 'v1'))
    mkdirSync(join(directory, 'links'))
    writeFileSync(join(directory, 'v1', 'ops.json'), '')
    symlinkSync('v1', join(directory, 'current'))
    symlinkSync(join(directory, 'current', 'ops.json'), join(directory, 'links', 'ops.json'))
    const within = (file: string) =>
      [...directoriesOf(join(directory, file))].filter((found) => found.startsWith(directory)).sort()
    expect(within('links/ops.json')).to.deep.equal([
      directory,
      join(directory, 'links'),
      join(directory, 'v1'),
    ])
    expect(within('v1/ops.json')).to.deep.equal([join(directory, 'v1')])
    expect(within('nowhere/deep/ops.json')).to.deep.equal([directory])
  })

  it('does not follow links in a circle', () => {
    symlinkSync('b', join(directory, 'a'))
    symlinkSync('a', join(directory, 'b'))
    expect([...directoriesOf(join(directory, 'a', 'ops.json'))]).to.include(directory)
  })
})

/** Both watches share one inotify queue: what this one saw, the one before it saw too. */
async function seenByAnotherWatch(directory: string, change: () => void): Promise<void> {
  let seen = () => {}
  const event = new Promise<void>((resolve) => {
    seen = resolve
  })
  const watcher = watch(directory, () => seen())
  try {
    change()
    await within(event, 'an event in the directory')
  } finally {
    watcher.close()
  }
}

/** Holds the one callback that was scheduled last. */
class StoppedClock {
  pending: number | undefined
  #callback = () => {}

  monotonic = () => 0
  wall = () => 0

  schedule(delayMs: number, callback: () => void) {
    this.pending = delayMs
    this.#callback = callback
    return {
      cancel: () => {
        this.pending = undefined
      },
    }
  }

  fire(): void {
    this.pending = undefined
    this.#callback()
  }
}
