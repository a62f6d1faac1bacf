import { requireEnvoy, startEnvoy } from '../../support/envoy.js'
import { openReplica } from '../../support/fleet.js'
import { startRedis, type TestRedis } from '../../support/redis.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { expectStreamsThrough } from './proxied-streams.js'

describe('streams through Envoy, in front of two replicas that share Redis', () => {
  const directory = temporaryDirectory()
  const closers: (() => Promise<void>)[] = []
  let redis: TestRedis

  before(async function () {
    requireEnvoy(this)
    redis = await startRedis(this)
  })
  after(() => redis?.stop())
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  it('come event by event, and go on through the replica that does not run the turn', async function () {
    this.timeout(30_000)
    await expectStreamsThrough({
      async replica(options) {
        const { edge, close } = await openReplica(redis.url, options)
        closers.push(close)
        return edge
      },
      async proxy(replicas) {
        const ports = replicas.map(({ port }) => port)
        const envoy = await startEnvoy(ports, directory.path())
        closers.push(envoy.stop)
        return envoy
      },
    })
  })
})
