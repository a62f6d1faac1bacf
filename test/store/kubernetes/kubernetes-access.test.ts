import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { kubernetesAccess } from '../../../src/store/kubernetes/kubernetes-access.js'
import { rejection } from '../../support/rejection.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

describe('access to the API server', () => {
  const directory = temporaryDirectory()
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }
  const inPod = (namespace?: string) =>
    kubernetesAccess({ env, directory: directory.path(), ...(namespace === undefined ? {} : { namespace }) })

  it('is that of the pod, with the token that is there now', async () => {
    writeFileSync(directory.path('namespace'), 'chat\n')
    writeFileSync(directory.path('token'), 'first\n')
    writeFileSync(directory.path('ca.crt'), 'CERTIFICATE')
    const access = inPod()
    expect(access.server).to.equal('https://[fd00::1]:6443')
    expect([await access.namespace(), await access.token(), await access.authority()]).to.deep.equal([
      'chat',
      'first',
      'CERTIFICATE',
    ])
    writeFileSync(directory.path('token'), 'second\n')
    expect(await access.token()).to.equal('second')
    expect(await inPod('other').namespace()).to.equal('other')
  })

  it('says that nothing is mounted', async () => {
    expect(await rejection(inPod().namespace())).to.have.property('code', 'ENOENT')
  })

  it('sends the token of the pod nowhere else', async () => {
    writeFileSync(directory.path('token'), 'first\n')
    const elsewhere = kubernetesAccess({
      env,
      directory: directory.path(),
      namespace: 'chat',
      server: 'http://127.0.0.1:8001',
    })
    expect([elsewhere.server, await elsewhere.token(), await elsewhere.authority()]).to.deep.equal([
      'http://127.0.0.1:8001',
      undefined,
      undefined,
    ])
  })
})
