import { expect } from 'chai'
import { z } from 'zod'
import { systemClock } from '../../../src/core/clock.js'
import {
  ASIDE_ANNOTATION,
  flagSpecOf,
  renderedText,
  TEXT_ANNOTATION,
  textOfFeatureFlag,
} from '../../../src/store/kubernetes/feature-flag.js'
import { kubernetesAccess } from '../../../src/store/kubernetes/kubernetes-access.js'
import { objectSchema } from '../../../src/store/kubernetes/kubernetes-api.js'
import { createKubernetesDocuments } from '../../../src/store/kubernetes/kubernetes-documents.js'
import { leaseSpecOf, textOfLease } from '../../../src/store/kubernetes/lease-object.js'
import { createDocumentFlagStore, createOpsDocument } from '../../../src/store/shared/document-flag-store.js'
import type { SharedDocuments } from '../../../src/store/shared/documents.js'
import {
  FEATURE_FLAGS,
  type KubernetesStandIn,
  LEASES,
  startKubernetes,
} from '../../support/kubernetes-api.js'
import { until } from '../../support/until.js'
import { flagStoreContract } from '../flag-store-contract.js'

const NAME = 'chat-cutover-fallback'
const labelSchema = z.object({ metadata: z.object({ label: z.string() }) })
const content = (label: string) => renderedText({ flags: {}, metadata: { label } })
const asidesSchema = z.array(z.object({ name: z.string(), text: z.string() }))

describe('the flag store in Kubernetes', function () {
  this.timeout(30_000)
  let api: KubernetesStandIn
  let opened: SharedDocuments[] = []
  beforeEach(async () => {
    api = await startKubernetes()
  })
  afterEach(async () => {
    await Promise.all(opened.map((one) => one.close()))
    opened = []
    await api.close()
  })

  const documents = (clock = systemClock): SharedDocuments => {
    const access = kubernetesAccess({ namespace: 'chat', server: api.url, env: {} })
    const made = createKubernetesDocuments({ access, namespace: 'chat', clock })
    opened.push(made)
    return made
  }
  const store = (over = documents()) =>
    createDocumentFlagStore(over, { clock: systemClock, lease: 'override-lease' })
  const override = () => api.get(FEATURE_FLAGS, NAME)

  /** Until every store has heard of what a person did. */
  async function seen(name: 'override' | 'override-lease', text: string | undefined): Promise<void> {
    for (const one of opened)
      await until('the change to be seen', async () => {
        const stored = await one.read(name)
        return text === undefined ? stored.kind === 'missing' : stored.kind === 'text' && stored.text === text
      })
  }

  flagStoreContract(() => ({
    open: () => store(),
    content,
    labelOf: (of) => labelSchema.parse(JSON.parse(of)).metadata.label,
    async put(file, text) {
      const [collection, name] =
        file === 'override' ? ([FEATURE_FLAGS, 'override'] as const) : ([LEASES, 'override-lease'] as const)
      if (text === undefined) api.delete(collection, NAME)
      else if (file === 'override')
        api.edit(collection, NAME, (object) => {
          object.spec = { flagSpec: flagSpecOf(text) }
        })
      else
        api.edit(collection, NAME, (object) => {
          object.metadata.annotations = { [TEXT_ANNOTATION]: text }
          object.spec = leaseSpecOf(text)
        })
      await seen(name, text)
    },
    get(file) {
      const object = api.get(file === 'override' ? FEATURE_FLAGS : LEASES, NAME)
      if (object === undefined) return undefined
      return file === 'override'
        ? textOfFeatureFlag(objectSchema.parse(object))
        : textOfLease(objectSchema.parse(object))
    },
    keptAside: () =>
      asidesSchema
        .parse(JSON.parse(override()?.metadata.annotations?.[ASIDE_ANNOTATION] ?? '[]'))
        .map(({ text }) => text),
  }))

  it('holds the flags as flagd reads them, and gives the text back as it was written', async () => {
    const text = `{"$schema": "https://flagd.dev/schema/v0/flags.json",\n "flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": null}}}\n`
    expect((await createOpsDocument(documents(), systemClock).write(text, 'missing')).kind).to.equal(
      'written',
    )
    const object = api.get(FEATURE_FLAGS, 'chat-cutover-flags')
    expect(object?.spec).to.deep.equal({
      flagSpec: { flags: { a: { state: 'ENABLED', variants: { x: 1 }, defaultVariant: '' } } },
    })
    expect(await createOpsDocument(documents(), systemClock).read()).to.have.property('text', text)
  })

  it('keeps what others put into an object, and is not disturbed by it', async () => {
    const one = store()
    await one.write(content('one'), 'missing')
    api.edit(FEATURE_FLAGS, NAME, (object) => {
      object.metadata.labels = { team: 'chat' }
    })
    const read = await one.read()
    if (read.kind !== 'text') throw new Error(read.kind)
    expect((await one.write(content('two'), read.hash)).kind).to.equal('written')
    expect(override()?.metadata.labels).to.deep.equal({ team: 'chat' })
  })

  it('keeps the text where the schema of an older operator drops metadata', async () => {
    api.dropMetadata(true)
    const one = store()
    const result = await one.write(content('one'), 'missing')
    expect(override()?.spec?.flagSpec).to.not.have.property('metadata')
    expect(await store().read()).to.deep.equal({
      kind: 'text',
      text: content('one'),
      hash: result.kind === 'written' ? result.hash : '',
    })
  })

  it('tells each change to those who watch', async () => {
    const told: string[] = []
    const watching = documents()
    watching.watch('override', () => told.push('override'))
    await until('the watch', () => api.watches === 1)
    const before = told.length
    await store().write(content('one'), 'missing')
    await until('the write', () => told.length === before + 1)
    api.edit(FEATURE_FLAGS, NAME, (object) => {
      object.spec = { flagSpec: { flags: {} } }
    })
    await until('the edit', () => told.length === before + 2)
    api.delete(FEATURE_FLAGS, NAME)
    await until('the deletion', () => told.length === before + 3)
    expect(await watching.read('override')).to.deep.equal({ kind: 'missing' })
  })

  it('goes on from the last version or bookmark when a watch ends, and lists again after 410', async () => {
    const watching = documents()
    watching.watch('override', () => undefined)
    await until('the watch', () => api.watches === 1)
    const lists = () =>
      api.requests.filter(({ query }) => query.has('fieldSelector') && !query.has('watch')).length
    const from = () =>
      api.requests.filter(({ query }) => query.has('watch')).map(({ query }) => query.get('resourceVersion'))
    expect(lists()).to.equal(1)

    api.compact()
    api.bookmark()
    api.endWatches()
    await until('the watch again', () => api.watches === 1)
    expect(lists(), 'the bookmark was taken: no 410').to.equal(1)
    expect(from().at(-1)).to.equal('110')

    api.edit(FEATURE_FLAGS, NAME, (object) => {
      object.spec = { flagSpec: { flags: {} } }
    })
    await until('the edit', async () => (await watching.read('override')).kind === 'text')
    api.endWatches(true)
    await until('the watch once more', () => api.watches === 1)
    const relisted = lists()
    // Whoever watched from before this is told 410.
    api.compact()
    api.endWatches()
    await until('the list', () => lists() === relisted + 1)
    await until('the watch at last', () => api.watches === 1)
    api.delete(FEATURE_FLAGS, NAME)
    await until('the deletion', async () => (await watching.read('override')).kind === 'missing')
  })

  it('asks no more while the watch works, but for once in 10 s', async () => {
    let passedMs = 0
    const monotonic = () => systemClock.monotonic() + passedMs
    const one = store(documents({ ...systemClock, monotonic }))
    await one.write(content('one'), 'missing')
    await one.read()
    await until('the watch', () => api.watches === 1)
    await until('a read by the watch', async () => {
      const before = api.requests.length
      await one.read()
      return api.requests.length === before
    })
    const before = api.requests.length
    for (let at = 0; at < 50; at += 1) expect((await one.read()).kind).to.equal('text')
    expect(api.requests.length).to.equal(before)
    passedMs += 10_000
    for (let at = 0; at < 50; at += 1) expect((await one.read()).kind).to.equal('text')
    expect(api.requests.length).to.equal(before + 1)
  })

  it('shows a lease as Kubernetes does, and sees one that somebody else holds', async () => {
    const one = store()
    const text = `${JSON.stringify({ owner: 'replica-1', counter: 7, at: '2026-01-01T00:00:00.123Z' })}\n`
    const first = await one.writeLease(text, 'missing')
    expect(api.get(LEASES, NAME)?.spec).to.deep.equal({
      holderIdentity: 'replica-1',
      renewTime: '2026-01-01T00:00:00.123000Z',
    })
    api.edit(LEASES, NAME, (object) => {
      object.spec = { ...object.spec, holderIdentity: 'somebody' }
    })
    await until('the edit', async () => {
      const stored = await one.readLease()
      return stored.kind === 'text' && JSON.parse(stored.text).owner === 'somebody'
    })
    expect((await one.writeLease(text, first.kind === 'written' ? first.hash : '')).kind).to.equal('conflict')
  })

  it('names the fault and what to do', async () => {
    const one = store()
    for (const [status, advice] of [
      [401, /does not take the token/],
      [403, /may not do that; give it the Role/],
      [500, /the API server refuses: as the test wants it/],
    ] as const) {
      api.refuse(status)
      const result = await one.read()
      expect(result.kind).to.equal('failed')
      expect(result).to.have.nested.property('fault.message').that.matches(advice)
    }
    api.refuse(undefined)
    expect(await one.write('no flags', 'missing')).to.have.nested.property('fault.code', 'invalid')
    const noState = JSON.stringify({ flags: { a: { variants: {}, defaultVariant: 'x' } } })
    expect(await one.write(noState, 'missing'))
      .to.have.nested.property('fault.message')
      .that.matches(/refused by its schema: spec.flagSpec.flags.a.state/)
    expect(await one.write(content('x'.repeat(200_000)), 'missing')).to.have.nested.property(
      'fault.code',
      'EFBIG',
    )
  })

  it('answers in time where the server hangs', async () => {
    const one = store()
    api.hang(true)
    const result = await one.read()
    expect(result).to.have.nested.property('fault.code', 'ETIMEDOUT')
    api.hang(false)
    await until('an answer', async () => (await one.read()).kind === 'missing')
  })
})
