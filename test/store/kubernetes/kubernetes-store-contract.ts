import { expect } from 'chai'
import { z } from 'zod'
import { type Clock, systemClock } from '../../../src/core/clock.js'
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
import { FEATURE_FLAGS, LEASES, type StoredObject } from '../../support/kubernetes-api.js'
import { until } from '../../support/until.js'
import { flagStoreContract } from '../flag-store-contract.js'

export const NAME = 'chat-cutover-fallback'
const labelSchema = z.object({ metadata: z.object({ label: z.string() }) })
const asidesSchema = z.array(z.object({ name: z.string(), text: z.string() }))
export const content = (label: string) => renderedText({ flags: {}, metadata: { label } })

/** An API server, the stand-in or a real one, as a person uses it. */
export interface ApiServer {
  readonly url: string
  readonly namespace: string
  get(collection: string, name: string): StoredObject | undefined | Promise<StoredObject | undefined>
  edit(collection: string, name: string, change: (object: StoredObject) => void): void | Promise<void>
  delete(collection: string, name: string): void | Promise<void>
}

/** Replicas of one test; all are closed after it. */
export interface Replicas {
  documents(clock?: Clock): SharedDocuments
  store(over?: SharedDocuments): ReturnType<typeof createDocumentFlagStore>
  /** with another server or namespace */
  at(where: Pick<ApiServer, 'url' | 'namespace'>, clock?: Clock): SharedDocuments
  readonly opened: readonly SharedDocuments[]
}

export function replicasOf(server: () => Pick<ApiServer, 'url' | 'namespace'>): Replicas {
  const opened: SharedDocuments[] = []
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()))
  })
  const at: Replicas['at'] = ({ namespace, url }, clock = systemClock) => {
    const access = kubernetesAccess({ namespace, server: url, env: {} })
    const made = createKubernetesDocuments({ access, namespace, clock })
    opened.push(made)
    return made
  }
  const documents = (clock = systemClock): SharedDocuments => at(server(), clock)
  return {
    documents,
    at,
    store: (over = documents()) =>
      createDocumentFlagStore(over, { clock: systemClock, lease: 'override-lease' }),
    opened,
  }
}

/** What holds with the stand-in and with a real API server alike; no object is there before each test. */
export function kubernetesStoreContract(server: () => ApiServer, replicas: Replicas): void {
  const { documents, store, opened, at } = replicas
  const override = async () => server().get(FEATURE_FLAGS, NAME)

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
      if (text === undefined) await server().delete(collection, NAME)
      else if (file === 'override')
        await server().edit(collection, NAME, (object) => {
          object.spec = { flagSpec: flagSpecOf(text) }
        })
      else
        await server().edit(collection, NAME, (object) => {
          object.metadata.annotations = { [TEXT_ANNOTATION]: text }
          object.spec = leaseSpecOf(text)
        })
      await seen(name, text)
    },
    async get(file) {
      const object = await server().get(file === 'override' ? FEATURE_FLAGS : LEASES, NAME)
      if (object === undefined) return undefined
      return file === 'override'
        ? textOfFeatureFlag(objectSchema.parse(object))
        : textOfLease(objectSchema.parse(object))
    },
    keptAside: async () =>
      asidesSchema
        .parse(JSON.parse((await override())?.metadata.annotations?.[ASIDE_ANNOTATION] ?? '[]'))
        .map(({ text }) => text),
  }))

  it('holds the flags as flagd reads them, and gives the text back as it was written', async () => {
    const text = `{"$schema": "https://flagd.dev/schema/v0/flags.json",\n "flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": null}}}\n`
    expect((await createOpsDocument(documents(), systemClock).write(text, 'missing')).kind).to.equal(
      'written',
    )
    const object = await server().get(FEATURE_FLAGS, 'chat-cutover-flags')
    expect(object?.spec).to.deep.equal({
      flagSpec: { flags: { a: { state: 'ENABLED', variants: { x: 1 }, defaultVariant: '' } } },
    })
    expect(await createOpsDocument(documents(), systemClock).read()).to.have.property('text', text)
  })

  it('gives the text back where the schema drops a part of it, until somebody edits the flags', async () => {
    const flag = { state: 'ENABLED', variants: { x: 1 }, defaultVariant: 'x' }
    const rest = { targeting: null, metadata: null, description: 'a field that the schema does not know' }
    // -0 is sent as 0.
    const text = JSON.stringify({ owner: 'operations', flags: { a: { ...flag, ...rest } } })
      .replace('"x":1', '"x":-0')
      .concat(' \n')
    const ops = createOpsDocument(documents(), systemClock)
    expect((await ops.write(text, 'missing')).kind).to.equal('written')
    expect(await ops.read()).to.have.property('text', text)
    expect((await server().get(FEATURE_FLAGS, 'chat-cutover-flags'))?.spec?.flagSpec).to.deep.equal({
      flags: { a: { ...flag, variants: { x: 0 } } },
    })
    for (const edited of [
      { ...flag, variants: { x: 0 }, state: 'DISABLED' },
      { ...flag, variants: { x: 0 }, targeting: { if: [true, 'x'] } },
      { ...flag, variants: { x: 2 } },
    ]) {
      await server().edit(FEATURE_FLAGS, 'chat-cutover-flags', (object) => {
        object.spec = { flagSpec: { flags: { a: edited } } }
      })
      const stored = await createOpsDocument(documents(), systemClock).read()
      expect(stored.kind === 'text' && JSON.parse(stored.text)).to.deep.equal({ flags: { a: edited } })
    }
  })

  it('keeps what others put into an object, and is not disturbed by it', async () => {
    const one = store()
    await one.write(content('one'), 'missing')
    await server().edit(FEATURE_FLAGS, NAME, (object) => {
      object.metadata.labels = { team: 'chat' }
    })
    const read = await one.read()
    if (read.kind !== 'text') throw new Error(read.kind)
    expect((await one.write(content('two'), read.hash)).kind).to.equal('written')
    expect((await override())?.metadata.labels).to.deep.equal({ team: 'chat' })
  })

  it('tells each change to those who watch', async () => {
    const told: string[] = []
    const watching = documents()
    watching.watch('override', () => told.push('override'))
    await until('the list', () => told.length === 1)
    await store().write(content('one'), 'missing')
    await until('the write', () => told.length === 2)
    await server().edit(FEATURE_FLAGS, NAME, (object) => {
      object.spec = { flagSpec: { flags: {} } }
    })
    await until('the edit', () => told.length === 3)
    await server().delete(FEATURE_FLAGS, NAME)
    await until('the deletion', () => told.length === 4)
    expect(await watching.read('override')).to.deep.equal({ kind: 'missing' })
  })

  it('shows a lease as Kubernetes does, and sees one that somebody else holds', async () => {
    const one = store()
    const text = `${JSON.stringify({ owner: 'replica-1', counter: 7, at: '2026-01-01T00:00:00.123Z' })}\n`
    const first = await one.writeLease(text, 'missing')
    expect((await server().get(LEASES, NAME))?.spec).to.deep.equal({
      holderIdentity: 'replica-1',
      renewTime: '2026-01-01T00:00:00.123000Z',
    })
    await server().edit(LEASES, NAME, (object) => {
      object.spec = { ...object.spec, holderIdentity: 'somebody' }
    })
    await until('the edit', async () => {
      const stored = await one.readLease()
      return stored.kind === 'text' && JSON.parse(stored.text).owner === 'somebody'
    })
    expect((await one.writeLease(text, first.kind === 'written' ? first.hash : '')).kind).to.equal('conflict')
  })

  it('names a namespace that is not there', async () => {
    const { url } = server()
    const nowhere = store(at({ url, namespace: 'chat-cutover-nowhere' }))
    expect(await nowhere.write(content('one'), 'missing'))
      .to.have.nested.property('fault.message')
      .that.matches(/there is no such namespace: namespaces "chat-cutover-nowhere" not found/)
  })

  it('names what the schema refuses', async () => {
    const noState = JSON.stringify({ flags: { a: { variants: {}, defaultVariant: 'x' } } })
    expect(await store().write(noState, 'missing'))
      .to.have.nested.property('fault.message')
      .that.matches(/refused by its schema: .*spec\.flagSpec\.flags\.a\.state/)
  })
}
