import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import type { FlagdSimulator } from '../../../src/simulator/flagd/flagd.js'
import { evaluationService } from '../../../src/simulator/flagd/flagd-proto.js'
import { type ProviderProbe, RESOLVERS, stringFlags, useFlagd } from '../../support/flagd-fixture.js'
import { RawFlagdClient } from '../../support/flagd-raw-client.js'

const NO_FAULTS = { hang: false, unavailable: false, delayMs: 0, dropWatch: false, refuse: false }

describe('flagd simulator, faults', () => {
  const flagd = useFlagd()

  async function connected() {
    const file = flagd().write('ops.json', stringFlags({ a: 'one' }))
    const simulator = await flagd().simulator({ files: [file] })
    const [inProcess, rpc] = await flagd().both(simulator)
    if (inProcess === undefined || rpc === undefined) throw new Error('two providers expected')
    return { file, simulator, inProcess, rpc }
  }

  const stringA = (provider: ProviderProbe) => provider.outcome(provider.string('a'))
  const lost = (provider: ProviderProbe) => provider.until('STALE', () => !provider.connected)
  const found = (provider: ProviderProbe) => provider.until('READY', () => provider.connected)

  it('killed and started again: both providers come back with the new flags', async () => {
    const { file, simulator, inProcess, rpc } = await connected()
    await simulator.close()
    await Promise.all([lost(inProcess), lost(rpc)])
    expect(await stringA(inProcess)).to.equal('one')
    expect(await stringA(rpc)).to.equal('FLAG_NOT_FOUND')
    flagd().write('ops.json', stringFlags({ a: 'two' }))
    await flagd().simulator({ files: [file], port: simulator.port })
    await Promise.all([found(inProcess), found(rpc)])
    expect(await stringA(inProcess)).to.equal('two')
    expect(await stringA(rpc)).to.equal('two')
    expect(inProcess.changes).to.deep.equal([['a']])
  })

  it('refuse: as killed, on the same port', async () => {
    const { simulator, inProcess, rpc } = await connected()
    simulator.faults.set({ refuse: true })
    await Promise.all([lost(inProcess), lost(rpc)])
    expect(await stringA(rpc)).to.equal('FLAG_NOT_FOUND')
    simulator.faults.set({})
    await Promise.all([found(inProcess), found(rpc)])
    expect(await stringA(rpc)).to.equal('one')
  })

  it('unavailable: streams end, evaluations fail, both come back', async () => {
    const { simulator, inProcess, rpc } = await connected()
    const raw = new RawFlagdClient(simulator.port)
    try {
      const stream = raw.stream(evaluationService, 'EventStream')
      await stream.until(1)
      simulator.faults.set({ unavailable: true })
      expect(await stream.ended()).to.equal(status.UNAVAILABLE)
      expect(await raw.stream(evaluationService, 'EventStream').ended()).to.equal(status.UNAVAILABLE)
    } finally {
      raw.close()
    }
    await Promise.all([lost(inProcess), lost(rpc)])
    expect(await stringA(rpc)).to.equal('FLAG_NOT_FOUND')
    expect(await stringA(inProcess)).to.equal('one')
    simulator.faults.set({})
    await Promise.all([found(inProcess), found(rpc)])
    expect(await stringA(rpc)).to.equal('one')
  })

  it('hang: not even a ping is answered, nobody is told, and what waited is answered after', async () => {
    const { simulator, inProcess, rpc } = await connected()
    const raw = new RawFlagdClient(simulator.port, {
      'grpc.keepalive_time_ms': 100,
      'grpc.keepalive_timeout_ms': 100,
      'grpc.keepalive_permit_without_calls': 1,
    })
    try {
      const stream = raw.stream(evaluationService, 'EventStream')
      await stream.until(1)
      simulator.faults.set({ hang: true })
      flagd().write('ops.json', stringFlags({ a: 'two' }))
      let answered = false
      const waiting = stringA(rpc).finally(() => {
        answered = true
      })
      expect(await stream.ended()).to.equal(status.UNAVAILABLE)
      expect({ answered, stale: !rpc.connected, changes: rpc.changes }).to.deep.equal({
        answered: false,
        stale: false,
        changes: [],
      })
      expect(await stringA(inProcess)).to.equal('one')
      simulator.faults.set({})
      expect(await waiting).to.equal('two')
      await inProcess.until('pushed', () => inProcess.changes.length === 1)
    } finally {
      raw.close()
    }
  })

  it('hang at the start: a provider does not become ready until it ends', async () => {
    const simulator = await flagd().simulator({
      files: [flagd().write('ops.json', stringFlags({ a: 'one' }))],
    })
    simulator.faults.set({ hang: true })
    const late = RESOLVERS.map((resolver) => flagd().unconnected(simulator.port, resolver))
    const started = await Promise.allSettled(late.map((provider) => provider.start()))
    expect(started.map((result) => result.status)).to.deep.equal(['rejected', 'rejected'])
    simulator.faults.set({})
    await Promise.all(late.map(found))
    expect(await Promise.all(late.map(stringA))).to.deep.equal(['one', 'one'])
  })

  it('delayMs: evaluations take that long, pushes do not', async () => {
    const { simulator, rpc } = await connected()
    simulator.faults.set({ delayMs: 150 })
    flagd().write('ops.json', stringFlags({ a: 'two' }))
    await rpc.until('pushed', () => rpc.changes.length === 1)
    const started = performance.now()
    expect(await stringA(rpc)).to.equal('two')
    // timers may fire a millisecond early
    expect(performance.now() - started).to.be.at.least(148)
  })
})

describe('flagd simulator, control port', () => {
  const flagd = useFlagd()

  async function control(): Promise<{ simulator: FlagdSimulator; send: typeof send }> {
    const simulator = await flagd().simulator({ files: [flagd().write('ops.json', stringFlags({}))] })
    async function send(method: string, path: string, body?: string) {
      const response = await fetch(`${simulator.url}${path}`, {
        method,
        ...(body === undefined ? {} : { body }),
      })
      return { status: response.status, body: await response.json() }
    }
    return { simulator, send }
  }

  it('sets, shows and clears faults', async () => {
    const { simulator, send } = await control()
    expect(await send('GET', '/_faults')).to.deep.equal({ status: 200, body: NO_FAULTS })
    const set = { ...NO_FAULTS, delayMs: 20, dropWatch: true }
    expect(await send('PUT', '/_faults', '{"delayMs": 20, "dropWatch": true}')).to.deep.equal({
      status: 200,
      body: set,
    })
    expect(simulator.faults.get()).to.deep.equal(set)
    expect((await send('PUT', '/_faults', '{"hang": true}')).body).to.deep.equal({ ...NO_FAULTS, hang: true })
    expect(await send('GET', '/_faults')).to.deep.equal({ status: 200, body: { ...NO_FAULTS, hang: true } })
    expect(await send('DELETE', '/_faults')).to.deep.equal({ status: 200, body: NO_FAULTS })
  })

  it('refuses what is no fault, and changes nothing', async () => {
    const { simulator, send } = await control()
    simulator.faults.set({ delayMs: 5 })
    for (const body of [
      '{"hangs": true}',
      '{"delayMs": -1}',
      '{"hang": "yes"}',
      'x',
      '',
      `"${'x'.repeat(20_000)}"`,
    ]) {
      const answer = await send('PUT', '/_faults', body)
      expect({ body, status: answer.status }).to.deep.equal({ body, status: 400 })
      expect(answer.body).to.have.property('details').with.length.above(0)
    }
    expect(simulator.faults.get()).to.deep.equal({ ...NO_FAULTS, delayMs: 5 })
  })

  it('tells health and readiness', async () => {
    const { simulator, send } = await control()
    expect((await send('GET', '/readyz')).status).to.equal(200)
    for (const fault of ['hang', 'unavailable', 'refuse']) {
      simulator.faults.set({ [fault]: true })
      expect((await send('GET', '/readyz')).status, fault).to.equal(412)
      expect((await send('GET', '/healthz')).status, fault).to.equal(200)
    }
  })

  it('answers 404 and 405 to the rest', async () => {
    const { send } = await control()
    expect((await send('GET', '/')).status).to.equal(404)
    expect((await send('POST', '/_faults')).status).to.equal(405)
    expect((await send('POST', '/readyz')).status).to.equal(405)
  })

  it('says so when a port is taken', async () => {
    const { simulator } = await control()
    const files = [flagd().write('ops.json', stringFlags({}))]
    for (const taken of [{ port: simulator.port }, { controlPort: simulator.controlPort }]) {
      const error = await flagd()
        .simulator({ files, ...taken })
        .catch((thrown: NodeJS.ErrnoException) => thrown)
      expect(error).to.have.property('code', 'EADDRINUSE')
    }
  })
})
