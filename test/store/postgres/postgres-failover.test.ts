import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { createPostgresDocuments } from '../../../src/store/postgres/postgres-documents.js'
import { createDocumentFlagStore } from '../../../src/store/shared/document-flag-store.js'
import { engine } from '../../support/engines.js'
import { makeStandby, type Standby, startPrimary } from '../../support/postgres-server.js'
import { TcpProxy } from '../../support/tcp-proxy.js'
import { until } from '../../support/until.js'

const PATIENCE_MS = 20_000

describe('the flag store in a PostgreSQL that moves to its standby', function () {
  this.timeout(60_000)
  const primary = engine(startPrimary, (server) => server.remove())
  let standby: Standby | undefined
  let proxy: TcpProxy | undefined
  after(async () => {
    await proxy?.close()
    await standby?.remove()
  })

  it('is read and not written while that is read-only, and goes on once it is promoted', async () => {
    proxy = await TcpProxy.start(primary().port)
    const url = `postgres://chat@127.0.0.1:${proxy.port}/postgres`
    const documents = createPostgresDocuments({ url, clock: systemClock })
    const store = createDocumentFlagStore(documents, { clock: systemClock, lease: 'override-lease' })
    try {
      let told = 0
      documents.watch('override', () => {
        told += 1
      })
      expect((await store.write('before', 'missing')).kind).to.equal('written')
      await until('the word of it', () => told > 0, PATIENCE_MS)
      const before = await store.read()
      if (before.kind !== 'text') throw new Error(before.kind)
      standby = await makeStandby(primary())
      await standby.start()
      await primary().stop()
      proxy.moveTo(standby.port)
      await until('the standby', async () => (await store.read()).kind === 'text', PATIENCE_MS)
      expect(await store.read()).to.deep.equal(before)
      const refused = await store.write('after', before.hash)
      expect(refused.kind).to.equal('failed')
      expect(refused.kind === 'failed' ? refused.fault.message : '').to.match(/read-only/)
      expect(await store.read()).to.deep.equal(before)

      standby.promote()
      await until(
        'a write',
        async () => (await store.write('after', before.hash)).kind !== 'failed',
        PATIENCE_MS,
      )
      const after = await store.read()
      expect(after).to.include({ kind: 'text', text: 'after' })
      // What another replica saw before is an older one now.
      expect((await store.write('late', before.hash)).kind).to.equal('conflict')
      const heard = told
      await until(
        'the word of a change',
        async () => {
          const now = await store.read()
          if (now.kind === 'text') await store.write(`${now.text}.`, now.hash)
          return told > heard
        },
        PATIENCE_MS,
      )
    } finally {
      await documents.close()
    }
  })
})
