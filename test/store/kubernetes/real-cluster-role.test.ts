import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { z } from 'zod'
import { systemClock } from '../../../src/core/clock.js'
import { kubernetesAccess } from '../../../src/store/kubernetes/kubernetes-access.js'
import { createKubernetesDocuments } from '../../../src/store/kubernetes/kubernetes-documents.js'
import { createDocumentFlagStore, createOpsDocument } from '../../../src/store/shared/document-flag-store.js'
import { EngineMissing, skipOptional } from '../../support/engines.js'
import { kubernetesCluster } from '../../support/kubernetes-cluster.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'
import { content } from './kubernetes-store-contract.js'

const viewSchema = z.object({
  clusters: z.tuple([
    z.object({
      cluster: z.object({
        server: z.url(),
        'certificate-authority-data': z.string().optional(),
        'certificate-authority': z.string().optional(),
      }),
    }),
  ]),
})

/** As a pod of deploy/kubernetes: with the token of its service account, over TLS, and with the Role alone. */
describe('the flag store with the Role of deploy/kubernetes in a real cluster', function () {
  this.timeout(60_000)
  const cluster = kubernetesCluster()
  const directory = temporaryDirectory()

  const kubectl = (...args: string[]): string => {
    const { stdout, stderr, status } = cluster().kubectl(...args)
    if (status !== 0) throw new Error(stderr)
    return stdout
  }

  /** What kubelet mounts; undefined where the authority of the cluster is nowhere in KUBECONFIG. */
  function mounted(): { readonly host: string; readonly port: string } | undefined {
    const [{ cluster: of }] = viewSchema.parse(
      JSON.parse(kubectl('config', 'view', '--raw', '--minify', '-o', 'json')),
    ).clusters
    const { 'certificate-authority-data': data, 'certificate-authority': file } = of
    if (data === undefined && file === undefined) return undefined
    writeFileSync(
      directory.path('ca.crt'),
      data === undefined ? readFileSync(file ?? '') : Buffer.from(data, 'base64'),
    )
    writeFileSync(directory.path('namespace'), cluster().namespace)
    writeFileSync(directory.path('token'), kubectl('create', 'token', 'chat-cutover'))
    const { hostname, port } = new URL(of.server)
    return { host: hostname, port: port === '' ? '443' : port }
  }

  it('reads, writes, watches and leases, and reads nothing else', async function () {
    for (const file of ['base/service-account.yaml', 'overlays/kubernetes/rbac.yaml'])
      kubectl('apply', '-f', `deploy/kubernetes/${file}`)
    const at = mounted()
    if (at === undefined)
      return skipOptional(this, new EngineMissing('KUBECONFIG names no certificate authority of the cluster'))
    const env = { KUBERNETES_SERVICE_HOST: at.host, KUBERNETES_SERVICE_PORT: at.port }
    const access = kubernetesAccess({ directory: directory.path(), env })
    const documents = createKubernetesDocuments({ access, clock: systemClock })
    try {
      const store = createDocumentFlagStore(documents, { clock: systemClock, lease: 'override-lease' })
      const ops = createOpsDocument(documents, systemClock)
      let told = 0
      documents.watch('override', () => {
        told += 1
      })
      await until('the list', () => told === 1)
      const first = await store.write(content('one'), 'missing')
      if (first.kind !== 'written') throw new Error(JSON.stringify(first))
      await until('the write', () => told === 2)
      expect((await store.write(content('two'), first.hash)).kind).to.equal('written')
      expect((await store.writeLease(content('mine'), 'missing')).kind).to.equal('written')
      expect((await ops.write(content('ops'), 'missing')).kind).to.equal('written')
      expect(await documents.read('rollout-lease')).to.deep.equal({ kind: 'missing' })
      expect(await store.read()).to.have.property('text', content('two'))
    } finally {
      await documents.close()
    }

    const account = `--as=system:serviceaccount:${cluster().namespace}:chat-cutover`
    const may = (verb: string, what: string): boolean =>
      cluster().kubectl('auth', 'can-i', verb, what, account).status === 0
    expect(may('update', 'featureflags.core.openfeature.dev/chat-cutover-flags')).to.equal(true)
    for (const [verb, what] of [
      ['list', 'featureflags.core.openfeature.dev'],
      ['update', 'featureflags.core.openfeature.dev/another'],
      ['delete', 'featureflags.core.openfeature.dev/chat-cutover-flags'],
      ['get', 'leases.coordination.k8s.io/another'],
      ['get', 'secrets'],
    ] as const)
      expect(may(verb, what), `${verb} ${what}`).to.equal(false)
  })
})
