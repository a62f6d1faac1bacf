import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { evaluationService, syncService } from '../../../src/simulator/flagd/flagd-proto.js'
import { stringFlag, stringFlags, useFlagd } from '../../support/flagd-fixture.js'
import { RawFlagdClient } from '../../support/flagd-raw-client.js'

const OPS = {
  $evaluators: { orgs: { in: [{ var: 'orgId' }, ['org-a']] } },
  metadata: { team: 'ops' },
  flags: {
    count: { state: 'ENABLED', variants: { some: 7.9 }, defaultVariant: 'some' },
    open: { state: 'ENABLED', variants: { on: true }, defaultVariant: null },
    targeted: { ...stringFlag('x'), targeting: { if: [{ $ref: 'orgs' }, 'x', null] }, metadata: { own: 1 } },
    wrong: { ...stringFlag('x'), state: 'enabled', targeting: { nonsense: [] } },
    number: { ...stringFlag('x'), targeting: 5 },
    lost: { ...stringFlag('x'), targeting: { if: [true, 'nowhere'] } },
  },
}

describe('flagd simulator, on the wire', () => {
  const flagd = useFlagd()
  const clients: RawFlagdClient[] = []
  afterEach(() => {
    for (const client of clients.splice(0)) client.close()
  })

  async function connected(keepAliveMs?: number) {
    const files = [
      flagd().write('ops.json', JSON.stringify(OPS)),
      flagd().write('b.json', stringFlags({ b: '1' })),
    ]
    const simulator = await flagd().simulator({
      files,
      ...(keepAliveMs === undefined ? {} : { keepAliveMs }),
    })
    const client = new RawFlagdClient(simulator.port)
    clients.push(client)
    return { simulator, client }
  }

  it('opens an event stream with provider_ready, then tells each kind of change', async () => {
    const { client } = await connected()
    const stream = client.stream(evaluationService, 'EventStream')
    await stream.until(1)
    expect(stream.messages[0]).to.deep.include({ type: 'provider_ready' })
    flagd().write('b.json', stringFlags({ b: '2', c: '1' }))
    await stream.until(2)
    flagd().write('b.json', stringFlags({ c: '1' }))
    await stream.until(3)
    const change = (flags: Record<string, string>) => ({
      type: 'configuration_change',
      data: {
        fields: {
          flags: {
            structValue: {
              fields: Object.fromEntries(
                Object.entries(flags).map(([key, type]) => [
                  key,
                  { structValue: { fields: { type: { stringValue: type } } } },
                ]),
              ),
            },
          },
        },
      },
    })
    expect(stream.messages.slice(1)).to.deep.equal([
      change({ b: 'update', c: 'write' }),
      change({ b: 'delete' }),
    ])
  })

  it('keeps an event stream alive', async () => {
    const { client } = await connected(20)
    const stream = client.stream(evaluationService, 'EventStream')
    await stream.until(3)
    expect(stream.messages.map(({ type }) => type)).to.deep.equal([
      'provider_ready',
      'keep_alive',
      'keep_alive',
    ])
  })

  it('answers an evaluation without variant by its reason alone', async () => {
    const { client } = await connected()
    const answer = await client.call(evaluationService, 'ResolveBoolean', { flagKey: 'open' })
    expect(answer).to.deep.equal({
      reason: 'DEFAULT',
      metadata: { fields: { team: { stringValue: 'ops' } } },
    })
  })

  it('cuts a number to an integer where one is asked for', async () => {
    const { client } = await connected()
    expect(await client.call(evaluationService, 'ResolveInt', { flagKey: 'count' })).to.include({ value: 7 })
    expect(await client.call(evaluationService, 'ResolveFloat', { flagKey: 'count' })).to.include({
      value: 7.9,
    })
  })

  it('fails an evaluation by flagd status codes', async () => {
    const { client } = await connected()
    const codeOf = (method: string, flagKey: string) =>
      client.call(evaluationService, method, { flagKey }).then(
        () => undefined,
        ({ code, details }: { code: number; details: string }) => ({ code, details }),
      )
    expect(await codeOf('ResolveString', 'nobody')).to.deep.equal({
      code: status.NOT_FOUND,
      details: 'Flag not found',
    })
    expect(await codeOf('ResolveObject', 'count')).to.include({ code: status.INVALID_ARGUMENT })
    expect(await codeOf('ResolveString', 'wrong')).to.include({ code: status.DATA_LOSS })
    expect(await codeOf('ResolveString', 'lost')).to.include({ code: status.UNKNOWN })
    expect(await codeOf('ResolveString', 'number')).to.include({ code: status.UNKNOWN })
  })

  it('syncs the flags of all files: references resolved, metadata merged, states as written', async () => {
    const { client } = await connected()
    const stream = client.stream(syncService, 'SyncFlags')
    await stream.until(1)
    const text = String(stream.messages[0]?.flagConfiguration)
    const { flags } = JSON.parse(text)
    expect(Object.keys(flags).sort()).to.deep.equal([
      'b',
      'count',
      'lost',
      'number',
      'open',
      'targeted',
      'wrong',
    ])
    expect(flags.wrong.state).to.equal('enabled')
    expect(flags.b).not.to.have.property('metadata')
    expect(flags.targeted.metadata).to.deep.equal({ team: 'ops', own: 1 })
    expect(flags.targeted.targeting).to.deep.equal({ if: [OPS.$evaluators.orgs, 'x', null] })
    const fetched = await client.call(syncService, 'FetchAllFlags', {})
    expect(fetched.flagConfiguration).to.equal(text)
    expect(await client.call(syncService, 'GetMetadata', {})).to.have.property('metadata')
  })

  it('syncs everything again on a change', async () => {
    const { client } = await connected()
    const stream = client.stream(syncService, 'SyncFlags')
    await stream.until(1)
    flagd().write('b.json', stringFlags({ b: '2' }))
    await stream.until(2)
    const { flags } = JSON.parse(String(stream.messages[1]?.flagConfiguration))
    expect([flags.b.defaultVariant, flags.count.defaultVariant]).to.deep.equal(['2', 'some'])
  })

  it('ends its streams with UNAVAILABLE, never with OK', async () => {
    const { simulator, client } = await connected()
    const streams = [client.stream(evaluationService, 'EventStream'), client.stream(syncService, 'SyncFlags')]
    await Promise.all(streams.map((stream) => stream.until(1)))
    await simulator.close()
    expect(await Promise.all(streams.map((stream) => stream.ended()))).to.deep.equal([
      status.UNAVAILABLE,
      status.UNAVAILABLE,
    ])
  })
})
