import { expect } from 'chai'
import { z } from 'zod'
import { systemClock } from '../../../src/core/clock.js'
import { flagSpecOf } from '../../../src/store/kubernetes/feature-flag.js'
import { createPostgresDocuments } from '../../../src/store/postgres/postgres-documents.js'
import { type Forked, forked, killForked } from '../../support/forked.js'
import { FEATURE_FLAGS, startKubernetes } from '../../support/kubernetes-api.js'
import { kubernetesCluster } from '../../support/kubernetes-cluster.js'
import { postgresDatabases } from '../../support/postgres.js'

const START = JSON.stringify({ flags: {}, metadata: { sum: 0 } })
const WRITERS = 4
const WRITES_EACH = 10
const sumSchema = z.object({ metadata: z.object({ sum: z.number() }) })
const toldSchema = z.union([
  z.literal('done'),
  z.object({ over: z.string(), hash: z.string() }),
  z.object({ failed: z.string() }),
])

/** Processes that add to one document while two more are killed in the middle of it: no update is lost, none is torn. */
async function race(store: string, text: () => Promise<string>): Promise<void> {
  const writers = Array.from({ length: WRITERS + 2 }, (_, at) =>
    forked('test/store/shared/engine-writer.ts', [store, `writer-${at}`]),
  )
  for (const writer of writers) expect(await writer.message()).to.equal('"ready"')
  const overs: string[] = []
  const until = async (writer: Forked, writes: number): Promise<void> => {
    for (let at = 0; at < writes; ) {
      const told = toldSchema.parse(JSON.parse(await writer.message()))
      if (told === 'done') return
      if ('failed' in told) throw new Error(told.failed)
      overs.push(told.over)
      at += 1
    }
  }
  for (const writer of writers) writer.send(String(WRITES_EACH))
  const [first, second, ...others] = writers
  if (first === undefined || second === undefined) throw new Error('six writers')
  await Promise.all([
    ...[first, second].map(async (writer) => {
      await until(writer, 2)
      await writer.kill()
    }),
    ...others.map((writer) => until(writer, Number.POSITIVE_INFINITY)),
  ])
  expect(overs).to.have.length.at.least(WRITERS * WRITES_EACH + 4)
  expect(new Set(overs).size, 'two writes over one content: one of them would be lost').to.equal(overs.length)
  const { sum } = sumSchema.parse(JSON.parse(await text())).metadata
  // What the killed ones wrote and did not tell.
  expect(sum).to.be.within(overs.length, WRITERS * WRITES_EACH + 2 * WRITES_EACH)
}

describe('processes that write one document', function () {
  this.timeout(120_000)
  const databases = postgresDatabases()
  afterEach(() => killForked())

  it('lose no update in PostgreSQL, whoever is killed', async () => {
    const url = await databases.create()
    const documents = createPostgresDocuments({ url, clock: systemClock })
    await documents.write('override', { text: START, expected: 'missing', keepAside: false })
    await documents.close()
    await race(url, async () => {
      const [row] = await databases.query(url, "SELECT content FROM flag_documents WHERE name = 'override'")
      return String(row?.content)
    })
  })

  it('lose no update in Kubernetes, whoever is killed', async () => {
    const api = await startKubernetes()
    try {
      api.edit(FEATURE_FLAGS, 'chat-cutover-fallback', (object) => {
        object.spec = { flagSpec: flagSpecOf(START) }
      })
      await race(`kubernetes:chat?server=${api.url}`, async () => {
        const object = api.get(FEATURE_FLAGS, 'chat-cutover-fallback')
        return String(object?.metadata.annotations?.['chat-cutover/text'])
      })
    } finally {
      await killForked()
      await api.close()
    }
  })
})

describe('processes that write one document in a real cluster', function () {
  this.timeout(120_000)
  const cluster = kubernetesCluster()
  afterEach(() => killForked())

  it('lose no update, whoever is killed', async () => {
    await cluster().edit(FEATURE_FLAGS, 'chat-cutover-fallback', (object) => {
      object.spec = { flagSpec: flagSpecOf(START) }
    })
    await race(`kubernetes:${cluster().namespace}?server=${cluster().url}`, async () => {
      const object = await cluster().get(FEATURE_FLAGS, 'chat-cutover-fallback')
      return String(object?.metadata.annotations?.['chat-cutover/text'])
    })
  })
})
