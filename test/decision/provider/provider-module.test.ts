import { writeFileSync } from 'node:fs'
import { InMemoryProvider } from '@openfeature/server-sdk'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { resolveModule } from '../../../src/core/files/resolve-module.js'
import { loadProviderModule } from '../../../src/decision/provider/provider-module.js'
import { rejection } from '../../support/rejection.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

const METHODS = ['Boolean', 'String', 'Number', 'Object'].map((type) => `resolve${type}Evaluation() {}`)
const PROVIDER = `{ metadata: { name: 'mine' }, ${METHODS.join(', ')} }`

describe('the module of a provider', () => {
  const directory = temporaryDirectory()
  let written = 0

  async function load(text: string, extension = 'mjs') {
    written += 1
    const name = `./module-${written}.${extension}`
    writeFileSync(directory.path(name), text)
    const url = resolveModule(name, directory.path())
    if (url === undefined) throw new Error('not found')
    return loadProviderModule({ name, url }, systemClock)
  }

  it('exports a provider, or a function that gives one now or later, by one of three names', async () => {
    for (const [text, kind] of [
      [`export default ${PROVIDER}`, 'provider'],
      [`export const provider = ${PROVIDER}`, 'provider'],
      [`export default () => (${PROVIDER})`, 'factory'],
      [`export const createProvider = async () => (${PROVIDER})`, 'factory'],
      [`export const other = 1; export function createProvider() { return ${PROVIDER} }`, 'factory'],
    ] as const) {
      const loaded = await load(text)
      expect(loaded.kind, text).to.equal(kind)
      const provider = loaded.kind === 'factory' ? await loaded.make() : loaded.provider
      expect(provider.metadata.name).to.equal('mine')
    }
  })

  it('may be a CommonJS module, also one made from an ES module', async () => {
    expect((await load(`module.exports = () => (${PROVIDER})`, 'cjs')).kind).to.equal('factory')
    expect((await load(`module.exports = ${PROVIDER}`, 'cjs')).kind).to.equal('provider')
    const compiled = `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = () => (${PROVIDER})`
    expect((await load(compiled, 'cjs')).kind).to.equal('factory')
  })

  it('is refused with what is wrong with it', async () => {
    for (const [text, wrong] of [
      ['export const other = 1', /module-\d+\.mjs exports no OpenFeature provider/],
      ['export default { metadata: {} }', /exports no OpenFeature provider/],
      [`export default { ...${PROVIDER}, runsOn: 'client' }`, /for browsers/],
      ['throw new Error("no key is set")', /cannot be loaded: no key is set/],
      ['import "no-such-package-anywhere"', /cannot be loaded: .*no-such-package-anywhere/],
      ['export default {', /cannot be loaded/],
    ] as const)
      expect(await rejection(load(text)), text).to.match(wrong)
    const loaded = await load('export default () => 7')
    const making = loaded.kind === 'factory' ? loaded.make() : Promise.resolve()
    expect(await rejection(making)).to.match(/did not return an OpenFeature provider/)
  })

  it('is found by path, by URL and by the name of a package', async () => {
    writeFileSync(directory.path('here.mjs'), '')
    const url = `file://${directory.path('here.mjs')}`
    expect(resolveModule('./here.mjs', directory.path())).to.equal(url)
    expect(resolveModule(directory.path('here.mjs'), '/')).to.equal(url)
    expect(resolveModule(url, '/')).to.equal(url)
    expect(resolveModule('@openfeature/server-sdk', '/')).to.match(/server-sdk/)
    for (const missing of [
      './nowhere.mjs',
      '/nowhere.mjs',
      'file:///nowhere.mjs',
      'file://host:1/x',
      'no-such-package',
    ])
      expect(resolveModule(missing, directory.path()), missing).to.equal(undefined)
    expect(new InMemoryProvider().runsOn).to.equal('server')
  })
})
