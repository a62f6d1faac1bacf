import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect } from 'chai'
import { kubernetesCluster } from '../support/kubernetes-cluster.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const FOLDER = 'deploy/kubernetes'

/** deploy/kubernetes against a real API server: it checks every field of every object, and the pods against the strictest policy. */
describe('deploy/kubernetes in a real cluster', function () {
  this.timeout(120_000)
  const cluster = kubernetesCluster()
  const directory = temporaryDirectory()

  before(() => {
    // A pod that is against the policy is told as a warning.
    const label = 'pod-security.kubernetes.io/warn=restricted'
    expect(cluster().kubectl('label', 'namespace', cluster().namespace, label)).to.include({ status: 0 })
  })

  function expectAccepted(folder: string, objects: number): void {
    const strictly = ['--server-side', '--dry-run=server', '--validate=strict']
    const applied = cluster().kubectl('apply', ...strictly, '-k', folder)
    expect(applied).to.include({ stderr: '', status: 0 })
    expect(applied.stdout.trim().split('\n')).to.have.length(objects)
  }

  for (const [overlay, objects] of [
    ['file', 6],
    ['postgres', 7],
    ['kubernetes', 9],
  ] as const)
    it(`accepts the overlay ${overlay}`, () => expectAccepted(join(FOLDER, 'overlays', overlay), objects))

  for (const [component, objects] of [
    ['flagd', 10],
    ['flagd-sidecar', 7],
  ] as const)
    it(`accepts the overlay postgres with the component ${component}`, () => {
      const file = directory.path('own', 'kustomization.yaml')
      const at = (name: string) => relative(dirname(file), join(process.cwd(), FOLDER, name))
      mkdirSync(dirname(file))
      const own = { resources: [at('overlays/postgres')], components: [at(`components/${component}`)] }
      writeFileSync(file, JSON.stringify(own))
      expectAccepted(dirname(file), objects)
    })
})
