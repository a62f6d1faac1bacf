import { randomBytes } from 'node:crypto'
import { chmodSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { createPostgresDocuments } from '../../../src/store/postgres/postgres-documents.js'
import { createDocumentFlagStore } from '../../../src/store/shared/document-flag-store.js'
import { mountTmpfs, type SmallDisk } from '../../chaos/small-disk.js'
import { engine } from '../../support/engines.js'
import { freePort } from '../../support/free-port.js'
import { makePostgresServer, type PostgresServer } from '../../support/postgres-server.js'
import { until } from '../../support/until.js'

const PATIENCE_MS = 20_000
/** holds an empty server with a log of small files */
const DISK = '96m'
/** characters that do not compress, and need new pages */
const LARGE = 500_000

describe('the flag store in a PostgreSQL whose disk is full', function () {
  this.timeout(60_000)
  let disk: SmallDisk | undefined
  // Not a missing engine: where nobody may mount, nothing that could be installed would help.
  before(function () {
    const mounted = mountTmpfs(DISK)
    if ('refused' in mounted) {
      console.log(`      skipped: ${mounted.refused}`)
      this.skip()
    }
    chmodSync(mounted.folder, 0o755)
    disk = mounted
  })
  const server = engine(
    async (): Promise<PostgresServer> => {
      if (disk === undefined) throw new Error('mounted before')
      const place = { host: '127.0.0.1', port: await freePort(), through: ['env'], folder: disk.folder }
      const made = await makePostgresServer(place)
      await made.start()
      return made
    },
    (made) => made.remove(),
  )
  after(() => disk?.release())

  it('says so and keeps what it has, and goes on once there is room', async () => {
    if (disk === undefined) throw new Error('mounted before')
    const documents = createPostgresDocuments({ url: server().url(), clock: systemClock })
    const store = createDocumentFlagStore(documents, { clock: systemClock, lease: 'override-lease' })
    try {
      expect((await store.write('before', 'missing')).kind).to.equal('written')
      const before = await store.read()
      if (before.kind !== 'text') throw new Error(before.kind)
      const large = randomBytes(LARGE / 2).toString('hex')
      disk.fill()
      const refused = await store.write(large, before.hash)
      expect(refused.kind).to.equal('failed')
      expect(refused.kind === 'failed' ? refused.fault.message : '').to.match(
        /no space left on the disk of the server/,
      )
      await until(
        'the server, which may have restarted',
        async () => (await store.read()).kind === 'text',
        PATIENCE_MS,
      )
      expect(await store.read()).to.deep.equal(before)

      disk.makeRoom()
      await until(
        'a write',
        async () => (await store.write(large, before.hash)).kind !== 'failed',
        PATIENCE_MS,
      )
      expect(await store.read()).to.include({ kind: 'text', text: large })
    } finally {
      await documents.close()
    }
  })
})
