import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { flagSpecOf } from '../../../src/store/kubernetes/feature-flag.js'
import { kubernetesAccess } from '../../../src/store/kubernetes/kubernetes-access.js'
import { createKubernetesDocuments } from '../../../src/store/kubernetes/kubernetes-documents.js'
import { FEATURE_FLAGS, type KubernetesStandIn, startKubernetes } from '../../support/kubernetes-api.js'
import { until } from '../../support/until.js'
import { apiServerAnswers } from './api-server-answers.js'
import { content, kubernetesStoreContract, NAME, replicasOf } from './kubernetes-store-contract.js'

describe('the flag store in Kubernetes', function () {
  this.timeout(30_000)
  let api: KubernetesStandIn
  beforeEach(async () => {
    api = await startKubernetes()
  })
  const server = () => Object.assign(api, { namespace: 'chat' })
  const replicas = replicasOf(server)
  const { documents, store } = replicas
  afterEach(() => api.close())
  const override = () => api.get(FEATURE_FLAGS, NAME)

  kubernetesStoreContract(server, replicas)
  apiServerAnswers(server)

  it('keeps the text where the schema of an older operator drops metadata', async () => {
    api.dropMetadata(true)
    const one = store()
    const result = await one.write(content('one'), 'missing')
    expect(override()?.spec?.flagSpec).to.not.have.property('metadata')
    expect(await store().read()).to.deep.equal({
      kind: 'text',
      text: content('one'),
      hash: result.kind === 'written' ? result.hash : '',
    })
  })

  it('goes on from the last version or bookmark when a watch ends, and lists again after 410', async () => {
    const watching = documents()
    watching.watch('override', () => undefined)
    await until('the watch', () => api.watches === 1)
    const lists = () =>
      api.requests.filter(({ query }) => query.has('fieldSelector') && !query.has('watch')).length
    const from = () =>
      api.requests.filter(({ query }) => query.has('watch')).map(({ query }) => query.get('resourceVersion'))
    expect(lists()).to.equal(1)

    api.compact()
    api.bookmark()
    api.endWatches()
    await until('the watch again', () => api.watches === 1)
    expect(lists(), 'the bookmark was taken: no 410').to.equal(1)
    expect(from().at(-1)).to.equal('110')

    api.edit(FEATURE_FLAGS, NAME, (object) => {
      object.spec = { flagSpec: { flags: {} } }
    })
    await until('the edit', async () => (await watching.read('override')).kind === 'text')
    api.endWatches(true)
    await until('the watch once more', () => api.watches === 1)
    const relisted = lists()
    // Whoever watched from before this is told 410.
    api.compact()
    api.endWatches()
    await until('the list', () => lists() === relisted + 1)
    await until('the watch at last', () => api.watches === 1)
    api.delete(FEATURE_FLAGS, NAME)
    await until('the deletion', async () => (await watching.read('override')).kind === 'missing')
  })

  for (const rudely of [true, false])
    it(`goes on from older versions where the cluster comes back from a backup (watches ${rudely ? 'break' : 'end'})`, async () => {
      let passedMs = 0
      const monotonic = () => systemClock.monotonic() + passedMs
      const one = store(documents({ ...systemClock, monotonic }))
      const first = await one.write(content('one'), 'missing')
      if (first.kind !== 'written') throw new Error(first.kind)
      const restore = api.backup()
      expect((await one.write(content('two'), first.hash)).kind).to.equal('written')
      expect((await one.read()).kind).to.equal('text')
      await until('the watch', () => api.watches === 1)
      restore()
      api.endWatches(rudely)
      await until('the watch again', () => api.watches === 1)
      // Sooner or later the server is asked itself.
      passedMs += 10_000
      expect(await one.read()).to.have.property('text', content('one'))
      expect(await one.read(), 'what is known now').to.have.property('text', content('one'))
      expect((await one.write(content('three'), first.hash)).kind).to.equal('written')
      expect(await one.read()).to.have.property('text', content('three'))
      await until('the watch from the new versions', () => api.watches === 1)
      api.edit(FEATURE_FLAGS, NAME, (object) => {
        object.spec = { flagSpec: flagSpecOf(content('four')) }
      })
      await until('an edit by the watch', async () => {
        const read = await one.read()
        return read.kind === 'text' && read.text === content('four')
      })
    })

  it('asks no more while the watch works, but for once in 10 s', async () => {
    let passedMs = 0
    const monotonic = () => systemClock.monotonic() + passedMs
    const one = store(documents({ ...systemClock, monotonic }))
    await one.write(content('one'), 'missing')
    await one.read()
    await until('the watch', () => api.watches === 1)
    await until('a read by the watch', async () => {
      const before = api.requests.length
      await one.read()
      return api.requests.length === before
    })
    const before = api.requests.length
    for (let at = 0; at < 50; at += 1) expect((await one.read()).kind).to.equal('text')
    expect(api.requests.length).to.equal(before)
    passedMs += 10_000
    for (let at = 0; at < 50; at += 1) expect((await one.read()).kind).to.equal('text')
    expect(api.requests.length).to.equal(before + 1)
  })

  it('names an object, with its namespace where one is set', () => {
    const access = kubernetesAccess({ env: {} })
    const ofPod = createKubernetesDocuments({ access, clock: systemClock })
    expect(ofPod.nameOf('ops')).to.equal('kubernetes:featureflags/chat-cutover-flags')
    expect(documents().nameOf('rollout-lease')).to.equal('kubernetes:chat/leases/chat-cutover-rollout')
  })

  it('names the fault and what to do', async () => {
    const one = store()
    const forbidden = `featureflags.core.openfeature.dev "${NAME}" is forbidden`
    const user = 'User "system:serviceaccount:chat:chat-cutover"'
    for (const [status, message, advice] of [
      [401, 'Unauthorized', /does not take the token/],
      [403, `${forbidden}: ${user} cannot get resource "featureflags"`, /may not do that; give it the Role/],
      // Refused by somebody else: the Role would not help.
      [
        403,
        'admission webhook "vfeatureflag.kb.io" denied the request: oneOf\n',
        /refuses: admission webhook .*oneOf \(Refused\)/,
      ],
      [403, `${forbidden}: exceeded quota: objects`, /refuses: .*exceeded quota/],
      [500, 'etcdserver: request timed out', /the API server refuses: etcdserver/],
    ] as const) {
      api.refuse(status, message)
      const result = await one.read()
      expect(result.kind).to.equal('failed')
      expect(result).to.have.nested.property('fault.message').that.matches(advice)
    }
    api.refuse(undefined)
    expect(await one.write('no flags', 'missing')).to.have.nested.property('fault.code', 'invalid')
    expect(await one.write(content('x'.repeat(200_000)), 'missing')).to.have.nested.property(
      'fault.code',
      'EFBIG',
    )
  })

  it('says that the definition is missing, in place of that no flags are there', async () => {
    const one = store()
    expect((await one.write(content('one'), 'missing')).kind).to.equal('written')
    api.define(false)
    for (const result of [await store().read(), await store().write(content('two'), 'missing')])
      expect(result)
        .to.have.nested.property('fault.message')
        .that.matches(/there is no such kind of object; install the OpenFeature Operator/)
    api.define(true)
    expect(await store().read()).to.have.property('text', content('one'))
  })

  it('answers in time where the server hangs', async () => {
    const one = store()
    api.hang(true)
    const result = await one.read()
    expect(result).to.have.nested.property('fault.code', 'ETIMEDOUT')
    api.hang(false)
    await until('an answer', async () => (await one.read()).kind === 'missing')
  })
})
