import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { flagSpecOf } from '../../../src/store/kubernetes/feature-flag.js'
import { FEATURE_FLAGS } from '../../support/kubernetes-api.js'
import { kubernetesCluster } from '../../support/kubernetes-cluster.js'
import { until } from '../../support/until.js'
import { apiServerAnswers } from './api-server-answers.js'
import { content, kubernetesStoreContract, NAME, replicasOf } from './kubernetes-store-contract.js'

describe('the flag store in a real cluster', function () {
  this.timeout(60_000)
  const cluster = kubernetesCluster()
  beforeEach(() => cluster().clear())
  const replicas = replicasOf(cluster)
  kubernetesStoreContract(cluster, replicas)
  apiServerAnswers(cluster)

  let stop: (() => Promise<unknown>) | undefined
  afterEach(() => stop?.())

  /** Passes requests on to the cluster, watches as the test changes them; tells the kinds of requests so far. */
  async function between(watchOf: (query: string, watches: number) => string) {
    const seen: ('list' | 'watch')[] = []
    const count = (kind: string) => seen.filter((each) => each === kind).length
    const server = createServer((asked, answer) => {
      const { url = '', method, headers } = asked
      const isWatch = url.includes('watch=1')
      if (url.includes('fieldSelector')) seen.push(isWatch ? 'watch' : 'list')
      const to = isWatch ? watchOf(url, count('watch')) : url
      const passed = request(cluster().url + to, { method, headers }, (from) => {
        answer.writeHead(from.statusCode ?? 500, from.headers)
        from.pipe(answer)
      })
      passed.once('error', () => answer.destroy())
      answer.once('close', () => passed.destroy())
      asked.pipe(passed)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    stop = () => {
      stop = undefined
      server.closeAllConnections()
      server.close()
      return once(server, 'close')
    }
    const { port } = server.address() as AddressInfo
    return { url: `http://127.0.0.1:${port}`, namespace: cluster().namespace, count }
  }

  async function expectFollowed(watching: ReturnType<typeof replicas.at>, label: string): Promise<void> {
    await cluster().edit(FEATURE_FLAGS, NAME, (object) => {
      object.spec = { flagSpec: flagSpecOf(content(label)) }
    })
    await until(label, async () => {
      const stored = await watching.read('override')
      return stored.kind === 'text' && stored.text === content(label)
    })
  }

  it('lists again where the version of a watch is gone', async () => {
    const server = await between((query, watches) =>
      watches === 1 ? query.replace(/resourceVersion=\d+/, 'resourceVersion=1') : query,
    )
    const watching = replicas.at(server)
    let told = 0
    watching.watch('override', () => {
      told += 1
    })
    await until('the second list', () => server.count('list') === 2)
    await until('the second watch', () => server.count('watch') === 2)
    const before = told
    await expectFollowed(watching, 'after 410')
    await until('the listener', () => told > before)
    expect([server.count('list'), server.count('watch')]).to.deep.equal([2, 2])
  })

  it('goes on where the server ends a watch after its time', async () => {
    const server = await between((query) => query.replace(/timeoutSeconds=\d+/, 'timeoutSeconds=1'))
    const watching = replicas.at(server)
    watching.watch('override', () => undefined)
    await expectFollowed(watching, 'one')
    await until('the third watch', () => server.count('watch') === 3, 20_000)
    await expectFollowed(watching, 'two')
    expect(server.count('list')).to.equal(1)
  })
})
