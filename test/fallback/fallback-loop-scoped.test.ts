import { expect } from 'chai'
import { createMemoryFiles } from '../../src/store/file/memory-flag-store.js'
import { NEUTRAL, scopeOfAuto } from '../../src/store/override/override.js'
import { renderOverride } from '../../src/store/override/override-rendering.js'
import { SUBJECT, setUpLoop } from './loop-setup.js'

type Loop = ReturnType<typeof setUpLoop>

const of = (orgId: string) => ({ ...SUBJECT, orgId })
/** What counts for a turn of that org, while the provider has the file. */
function onFor({ fallback, files, parsed }: Loop, orgId: string): boolean {
  const read = parsed()
  const revision = read.kind === 'override' ? read.override.revision : 0
  expect(files.override).to.be.a('string')
  // A provider that has not seen the newest revision yet: this replica's own counts.
  return fallback.overrideFor(of(orgId), { on: false, revision: revision - 1 }).on
}
const scopeIn = (loop: Loop) => scopeOfAuto(loop.fallback.snapshot().override.auto)

/** Others were well a while ago; then twelve of twenty are one org's, and fail. */
async function twelveInTwenty(loop: Loop): Promise<void> {
  for (const org of ['globex', 'initech']) loop.record('ok', 6, 'runtime_orchestrator', org)
  await loop.pass(15_000)
  loop.record('error', 12, 'runtime_orchestrator', 'acme')
  loop.record('ok', 8, 'runtime_orchestrator', 'globex')
  await loop.pass(1000)
}

describe('the fallback loop, while one org fails', () => {
  it('takes that org alone off the runtime, in memory, in the file and in the status', async () => {
    const loop = setUpLoop()
    await loop.start()
    await twelveInTwenty(loop)
    expect(scopeIn(loop)).to.deep.equal({ dimension: 'orgs', ids: ['acme'] })
    expect([onFor(loop, 'acme'), onFor(loop, 'globex')]).to.deep.equal([true, false])
    const read = loop.parsed()
    expect(read.kind === 'override' && read.override.auto).to.deep.include({
      state: 'fallback',
      scope: { dimension: 'orgs', ids: ['acme'] },
    })
    expect(loop.notified.map(({ kind, scope }) => [kind, scope?.ids])).to.deep.equal([['trip', ['acme']]])
    await loop.fallback.stop()
  })

  it('takes everybody off where nothing is known of the others', async () => {
    const loop = setUpLoop()
    await loop.start()
    loop.record('error', 12, 'runtime_orchestrator', 'acme')
    loop.record('ok', 8, 'runtime_orchestrator', 'globex')
    await loop.pass(1000)
    expect(loop.fallback.snapshot().override.auto.state).to.equal('fallback')
    expect(scopeIn(loop)).to.equal(undefined)
    expect(onFor(loop, 'globex')).to.equal(true)
    await loop.fallback.stop()
  })

  it('takes everybody off at once where the others begin to fail too, though their window is still good', async () => {
    const loop = setUpLoop()
    await loop.start()
    for (const org of ['globex', 'initech']) loop.record('ok', 6, 'runtime_orchestrator', org)
    await loop.pass(1000)
    loop.record('error', 18, 'runtime_orchestrator', 'acme')
    for (const org of ['globex', 'initech']) loop.record('error', 2, 'runtime_orchestrator', org)
    await loop.pass(1000)
    expect(loop.fallback.snapshot().override.auto.state).to.equal('fallback')
    expect(scopeIn(loop)).to.equal(undefined)
    await loop.fallback.stop()
  })

  it('acts before it is in the store, for that org alone', async () => {
    const loop = setUpLoop()
    await loop.start()
    loop.knobs.writeFault = { code: 'EROFS', message: 'read-only' }
    await twelveInTwenty(loop)
    const ask = (orgId: string) => loop.fallback.overrideFor(of(orgId), { on: false, revision: 99 })
    expect(ask('acme')).to.deep.equal({
      on: true,
      whose: 'tripped',
      scoped: { dimension: 'orgs', covered: true },
    })
    expect(ask('globex')).to.deep.equal({
      on: false,
      whose: 'provider',
      scoped: { dimension: 'orgs', covered: false },
    })
    await loop.fallback.stop()
  })

  it('runs recovery shadows of its turns alone, and comes back by them', async () => {
    const loop = setUpLoop()
    await loop.start()
    await twelveInTwenty(loop)
    expect(loop.fallback.maySpareShadow(of('acme'))).to.equal(true)
    expect(loop.fallback.maySpareShadow(of('globex'))).to.equal(false)
    const state = () => loop.fallback.snapshot().override.auto.state
    for (let second = 0; second < 40; second += 1) {
      loop.record('ok', 1, 'runtime_orchestrator', 'globex')
      await loop.pass(1000)
    }
    // Everybody else's good turns say nothing of it.
    expect(state()).to.equal('fallback')
    for (let second = 0; second < 200 && state() !== 'normal'; second += 1) {
      loop.record('ok', 1, 'runtime_orchestrator', 'acme')
      await loop.pass(1000)
    }
    expect(state()).to.equal('normal')
    await loop.fallback.stop()
  })

  it('is for the same org after a restart, and on another replica', async () => {
    const files = createMemoryFiles(renderOverride(NEUTRAL))
    const first = setUpLoop({ files })
    await first.start()
    await twelveInTwenty(first)
    await first.fallback.stop()
    const second = setUpLoop({ files, replica: 'replica-2' })
    await second.start()
    expect(scopeIn(second)?.ids).to.deep.equal(['acme'])
    expect([onFor(second, 'acme'), onFor(second, 'globex')]).to.deep.equal([true, false])
    await second.fallback.stop()
  })

  it('obeys a person who takes the targeting out of the file', async () => {
    const loop = setUpLoop()
    await loop.start()
    await twelveInTwenty(loop)
    const document = JSON.parse(loop.files.override ?? '{}')
    delete document.flags['chat-runtime-fallback'].targeting
    loop.files.override = JSON.stringify(document)
    await loop.pass(2000)
    expect(loop.fallback.snapshot().override.auto.state).to.equal('normal')
    expect(onFor(loop, 'acme')).to.equal(false)
    await loop.fallback.stop()
  })

  it('lets waiting turns fail over only when a dead runtime has widened it to everybody', async () => {
    const loop = setUpLoop()
    await loop.start()
    await twelveInTwenty(loop)
    let lost = 0
    loop.fallback.onRuntimeLost(() => {
      lost += 1
    })
    loop.knobs.policy = 'observe'
    loop.knobs.healthy = false
    loop.useRuntime(of('globex'))
    await loop.pass(5000)
    expect([scopeIn(loop)?.ids, lost]).to.deep.equal([['acme'], 0])
    loop.knobs.policy = 'auto'
    await loop.pass(2000)
    expect([scopeIn(loop), lost]).to.deep.equal([undefined, 1])
    expect(loop.kept.at(-1)).to.deep.include({ kind: 'widened', cause: 'health', trips: 1 })
    await loop.fallback.stop()
  })

  it('keeps its evidence small in the journal, however many orgs there are', async () => {
    const loop = setUpLoop()
    await loop.start()
    for (let n = 0; n < 3000; n += 1) loop.record('ok', 1, 'runtime_orchestrator', `org-${n}`)
    await loop.pass(20_000)
    for (let n = 0; n < 200; n += 1) loop.record('error', 10, 'runtime_orchestrator', `org-${n}`)
    await loop.pass(1000)
    expect(loop.kept[0]).to.deep.include({ kind: 'trip' })
    expect(JSON.stringify(loop.kept[0]).length).to.be.below(6000)
    await loop.fallback.stop()
  })
})
