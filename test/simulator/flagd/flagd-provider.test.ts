import { expect } from 'chai'
import { RESOLVERS, stringFlag, stringFlags, useFlagd } from '../../support/flagd-fixture.js'

const inOrg = (org: string) => ({ in: [{ var: 'orgId' }, [org]] })

const OPS = JSON.stringify({
  $evaluators: { 'runtime-enabled-orgs': inOrg('org-a') },
  metadata: { team: 'ops', shared: 'set' },
  flags: {
    mode: {
      state: 'ENABLED',
      variants: { direct: 'direct_llm', runtime: 'runtime_orchestrator' },
      defaultVariant: 'direct',
      targeting: { if: [{ $ref: 'runtime-enabled-orgs' }, 'runtime', null] },
      metadata: { shared: 'flag', revision: 7, manual: true },
    },
    shadow: {
      state: 'ENABLED',
      variants: { on: true, off: false },
      defaultVariant: 'off',
      targeting: {
        fractional: [
          ['on', 30],
          ['off', 70],
        ],
      },
    },
    guardrails: {
      state: 'ENABLED',
      variants: { standard: { errorRate: null, ramp: [5, 25.5, 100], deep: { on: true, text: 'ü' } } },
      defaultVariant: 'standard',
    },
    share: { state: 'ENABLED', variants: { most: 0.8 }, defaultVariant: 'most' },
    falsy: { state: 'ENABLED', variants: { no: false }, defaultVariant: 'no' },
    undecided: { state: 'ENABLED', variants: { direct: 'direct_llm' }, defaultVariant: null },
    absent: { state: 'ENABLED', variants: { direct: 'direct_llm' } },
    empty: { state: 'ENABLED', variants: { direct: 'direct_llm' }, defaultVariant: '' },
    resolved: {
      state: 'ENABLED',
      variants: { direct: 'direct_llm' },
      defaultVariant: null,
      targeting: { if: [inOrg('org-a'), 'direct', null] },
    },
    disabled: { state: 'DISABLED', variants: { direct: 'direct_llm' }, defaultVariant: 'direct' },
    'bad-operator': { ...stringFlag('x'), targeting: { nonsense: [1, 2] } },
    'bad-reference': { ...stringFlag('x'), targeting: { if: [{ $ref: 'nobody' }, 'x', null] } },
    'bad-variant': { ...stringFlag('x'), targeting: { if: [true, 'nowhere', null] } },
    'bad-weight': { ...stringFlag('x'), targeting: { fractional: [['x', 'much']] } },
    'bad-targeting': { ...stringFlag('x'), targeting: ['x', 'y'] },
    'empty-targeting': { ...stringFlag('x'), targeting: '' },
    'null-targeting': { ...stringFlag('x'), targeting: null },
    list: { state: 'ENABLED', variants: { some: [1, 2] }, defaultVariant: 'some' },
  },
})

for (const resolver of RESOLVERS) {
  describe(`flagd simulator, ${resolver} provider`, () => {
    const flagd = useFlagd()

    async function connected() {
      const simulator = await flagd().simulator({ files: [flagd().write('chat.flagd.json', OPS)] })
      return flagd().provider(simulator, resolver)
    }

    it('gives the flags of a list like those of an object', async () => {
      const { flags, ...rest }: { flags: Record<string, object> } = JSON.parse(OPS)
      const list = Object.entries(flags).map(([key, flag]) => ({ key, ...flag }))
      const file = flagd().write('list.flagd.json', JSON.stringify({ ...rest, flags: list }))
      const simulator = await flagd().simulator({ files: [file] })
      const provider = await flagd().provider(simulator, resolver)
      expect(await provider.string('mode', { orgId: 'org-a' })).to.include({ value: 'runtime_orchestrator' })
      expect(await provider.number('share')).to.include({ value: 0.8, reason: 'STATIC' })
    })

    it('gives values, reasons, variants and merged metadata', async () => {
      const provider = await connected()
      const metadata = { team: 'ops', shared: 'flag', revision: 7, manual: true }
      expect(await provider.string('mode', { orgId: 'org-a' })).to.include({
        value: 'runtime_orchestrator',
        reason: 'TARGETING_MATCH',
        variant: 'runtime',
      })
      expect(await provider.string('mode', { orgId: 'org-b' })).to.deep.include({
        value: 'direct_llm',
        reason: 'DEFAULT',
        variant: 'direct',
        flagMetadata: metadata,
      })
      expect(await provider.number('share')).to.deep.include({
        value: 0.8,
        reason: 'STATIC',
        variant: 'most',
        flagMetadata: { team: 'ops', shared: 'set' },
      })
      expect(await provider.boolean('falsy')).to.include({ value: false, reason: 'STATIC', variant: 'no' })
    })

    it('gives objects with every kind of JSON inside', async () => {
      const provider = await connected()
      expect(await provider.object('guardrails')).to.deep.include({
        value: { errorRate: null, ramp: [5, 25.5, 100], deep: { on: true, text: 'ü' } },
        reason: 'STATIC',
      })
    })

    it('leaves the value to the code default where no variant is chosen', async () => {
      const provider = await connected()
      for (const key of ['undecided', 'absent', 'empty', 'resolved']) {
        const { value, reason, variant } = await provider.string(key)
        expect({ key, value, reason, variant }).to.deep.equal({
          key,
          value: 'code default',
          reason: 'DEFAULT',
          variant: undefined,
        })
      }
      expect(await provider.string('resolved', { orgId: 'org-a' })).to.include({ value: 'direct_llm' })
      const { value, reason } = await provider.string('disabled')
      expect({ value, reason }).to.deep.equal({ value: 'code default', reason: 'DISABLED' })
    })

    it('answers with the error codes of flagd', async () => {
      const provider = await connected()
      expect(await provider.outcome(provider.string('unknown'))).to.equal('FLAG_NOT_FOUND')
      expect(await provider.outcome(provider.boolean('mode'))).to.equal('TYPE_MISMATCH')
      expect(await provider.outcome(provider.string('bad-operator'))).to.equal('PARSE_ERROR')
      expect(await provider.outcome(provider.string('bad-reference'))).to.equal('PARSE_ERROR')
      expect(await provider.outcome(provider.string('bad-variant'))).to.equal('GENERAL')
      expect(await provider.outcome(provider.string('bad-targeting'))).to.equal('GENERAL')
      expect(await provider.outcome(provider.string('bad-weight'))).to.equal('x')
    })

    it('takes an empty targeting and null as flagd does by rpc, and as flagd-core does in-process', async () => {
      const provider = await connected()
      const isRpc = resolver === 'rpc'
      expect(await provider.outcome(provider.string('empty-targeting'))).to.equal(isRpc ? 'GENERAL' : 'x')
      expect(await provider.string('null-targeting')).to.include({
        value: 'x',
        reason: isRpc ? 'DEFAULT' : 'STATIC',
      })
    })

    it('tells which flags changed, and has the new values by then', async () => {
      const ops = flagd().write('ops.json', stringFlags({ a: 'one', b: 'one' }))
      const auto = flagd().write('auto.json', stringFlags({ c: 'one' }))
      const simulator = await flagd().simulator({ files: [ops, auto] })
      const provider = await flagd().provider(simulator, resolver)
      flagd().write('ops.json', stringFlags({ a: 'two', b: 'one', d: 'one' }))
      await provider.until('first change', () => provider.changes.length === 1)
      expect(await provider.outcome(provider.string('a'))).to.equal('two')
      flagd().write('auto.json', stringFlags({}))
      await provider.until('second change', () => provider.changes.length === 2)
      expect(await provider.outcome(provider.string('c'))).to.equal('FLAG_NOT_FOUND')
      expect(provider.changes).to.deep.equal([['a', 'd'], ['c']])
    })

    it('settles on the last of a burst of writes', async () => {
      const file = flagd().write('ops.json', stringFlags({ a: 'start' }))
      const provider = await flagd().provider(await flagd().simulator({ files: [file] }), resolver)
      for (let i = 1; i <= 100; i++) flagd().write('ops.json', stringFlags({ a: `v${i}` }))
      flagd().write('ops.json', stringFlags({ a: 'v100', last: 'x' }))
      await provider.until('the last', () => provider.changes.flat().includes('last'))
      expect(await provider.outcome(provider.string('a'))).to.equal('v100')
    })
  })
}

describe('flagd simulator, both providers', () => {
  const flagd = useFlagd()

  it('bucket every session alike, near the weights', async () => {
    const simulator = await flagd().simulator({ files: [flagd().write('chat.flagd.json', OPS)] })
    const [inProcess, rpc] = await flagd().both(simulator)
    const sessions = Array.from({ length: 200 }, (_, i) => ({ targetingKey: `session-${i}` }))
    const share = async (provider = inProcess) =>
      Promise.all(sessions.map(async (session) => (await provider?.boolean('shadow', session))?.value))
    const buckets = await share(inProcess)
    expect(await share(rpc)).to.deep.equal(buckets)
    expect(buckets.filter(Boolean).length).to.be.within(35, 85)
  })

  it('take a list for no object over rpc', async () => {
    const simulator = await flagd().simulator({ files: [flagd().write('chat.flagd.json', OPS)] })
    const rpc = await flagd().provider(simulator, 'rpc')
    expect(await rpc.outcome(rpc.object('list'))).to.equal('TYPE_MISMATCH')
  })

  it('part over a wrong state: rpc follows flagd, in-process silently keeps everything', async () => {
    const ops = flagd().write('ops.json', stringFlags({ a: 'one' }))
    const auto = flagd().write('auto.json', stringFlags({ b: 'one' }))
    const simulator = await flagd().simulator({ files: [ops, auto] })
    const [inProcess, rpc] = await flagd().both(simulator)
    if (inProcess === undefined || rpc === undefined) throw new Error('two providers expected')
    flagd().write('ops.json', JSON.stringify({ flags: { a: { ...stringFlag('two'), state: 'enabled' } } }))
    await rpc.until('rpc follows', () => rpc.changes.length === 1)
    expect(await rpc.outcome(rpc.string('a'))).to.equal('two')
    flagd().write('auto.json', stringFlags({ b: 'two' }))
    await rpc.until('rpc follows again', () => rpc.changes.length === 2)
    const late = await flagd().provider(simulator, 'in-process')
    expect(await late.outcome(late.string('b'))).to.equal('FLAG_NOT_FOUND')
    expect(await inProcess.outcome(inProcess.string('b'))).to.equal('one')
    flagd().write('ops.json', stringFlags({ a: 'three' }))
    await inProcess.until('mended', () => inProcess.changes.length > 0)
    expect(inProcess.changes).to.deep.equal([['a', 'b']])
  })
})
