import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { kubernetesAccess } from '../../../src/store/kubernetes/kubernetes-access.js'
import { createKubernetesDocuments } from '../../../src/store/kubernetes/kubernetes-documents.js'
import { createDocumentFlagStore } from '../../../src/store/shared/document-flag-store.js'
import { EngineMissing, engine } from '../../support/engines.js'
import { until } from '../../support/until.js'

const NAMESPACE = 'chat-cutover-test'
const START_MS = 20_000

const kubectl = (...args: string[]): boolean => spawnSync('kubectl', args, { stdio: 'ignore' }).status === 0

/** `kubectl proxy` to the cluster of KUBECONFIG, whose FeatureFlag definition is there. */
async function startProxy(): Promise<{ readonly process: ChildProcess; readonly url: string }> {
  if (!kubectl('get', 'crd', 'featureflags.core.openfeature.dev'))
    throw new EngineMissing('the cluster of KUBECONFIG has no FeatureFlag definition, or there is no kubectl')
  kubectl('create', 'namespace', NAMESPACE)
  const child = spawn('kubectl', ['proxy', '--port=0'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const port = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('kubectl proxy does not start')), START_MS)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /127\.0\.0\.1:(\d+)/.exec(line)?.[1]
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    })
  })
  return { process: child, url: `http://127.0.0.1:${port}` }
}

describe('the flag store in a real cluster', function () {
  this.timeout(60_000)
  const isNamed = (process.env.KUBECONFIG ?? '') !== ''
  // A cluster is seldom at hand: it is none of the engines that CHAT_REQUIRE_ENGINES asks for.
  before(function () {
    if (isNamed) return
    console.log('      skipped: no Kubernetes (set KUBECONFIG; kubectl must be on the PATH)')
    this.skip()
  })
  const proxy = engine(startProxy)
  after(() => {
    if (!isNamed) return
    proxy().process.kill()
    kubectl('delete', 'namespace', NAMESPACE, '--wait=false')
  })

  it('writes, watches and refuses as with the stand-in', async () => {
    const access = kubernetesAccess({ namespace: NAMESPACE, server: proxy().url, env: {} })
    const documents = createKubernetesDocuments({ access, namespace: NAMESPACE, clock: systemClock })
    const store = createDocumentFlagStore(documents, { clock: systemClock, lease: 'override-lease' })
    let told = 0
    documents.watch('override', () => {
      told += 1
    })
    const text = (label: string) => `${JSON.stringify({ flags: {}, metadata: { label } })}\n`
    const first = await store.write(text('one'), 'missing')
    if (first.kind !== 'written') throw new Error(JSON.stringify(first))
    expect((await store.write(text('two'), 'missing')).kind).to.equal('conflict')
    expect((await store.write(text('two'), first.hash)).kind).to.equal('written')
    await until('the watch', () => told > 0)
    expect(await store.read()).to.have.property('text', text('two'))
    const lease = `${JSON.stringify({ owner: 'a', counter: 1, at: new Date().toISOString() })}\n`
    expect((await store.writeLease(lease, 'missing')).kind).to.equal('written')
    expect((await store.writeLease(lease, 'missing')).kind).to.equal('conflict')
    await documents.close()
  })
})
