import { isDeepStrictEqual } from 'node:util'
import { expect } from 'chai'
import type { Usual } from '../../src/fallback/evidence/usual-failures.js'
import type { Command } from '../../src/fallback/fallback.js'
import { next } from '../../src/fallback/machine/machine.js'
import { type FallbackInput, type FallbackState, initialState } from '../../src/fallback/machine/state.js'
import type { ProbeState } from '../../src/fallback/probe/probe.js'
import { transitionKind } from '../../src/protocol/transition-text.js'
import { createMemoryFiles } from '../../src/store/file/memory-flag-store.js'
import { NEUTRAL } from '../../src/store/override/override.js'
import { parseOverride } from '../../src/store/override/override-document.js'
import { renderOverride } from '../../src/store/override/override-rendering.js'
import { DEFAULT_FLAGS } from '../support/edge.js'
import { settled } from '../support/turn-runner.js'
import { SUBJECT, setUpLoop } from './loop-setup.js'

type Loop = ReturnType<typeof setUpLoop>
const state = ({ fallback }: Loop) => fallback.snapshot().override.auto.state
const isDirect = ({ fallback }: Loop, revision = 0) =>
  fallback.overrideFor(SUBJECT, { on: false, revision }).on

const kindOf = (input: unknown): unknown =>
  typeof input === 'object' && input !== null && 'kind' in input ? input.kind : undefined

/** A loop that has just tripped on errors. */
async function tripped(loop = setUpLoop()): Promise<Loop> {
  await loop.start()
  loop.record('error', 10)
  await loop.pass(1000)
  expect(state(loop)).to.equal('fallback')
  return loop
}

/** Somebody else writes a new revision just before each of the loop's own writes, so often. */
function losing(times: number) {
  const others = { left: times }
  const files = createMemoryFiles(renderOverride(NEUTRAL))
  const loop = setUpLoop({
    files,
    wrap: (store) => ({
      ...store,
      write: (...call) => {
        const parsed = parseOverride(files.override ?? '')
        if (others.left > 0 && parsed.kind === 'override') {
          others.left -= 1
          const revision = parsed.override.revision + 1
          files.override = renderOverride({ ...parsed.override, revision, replica: 'other' })
        }
        return store.write(...call)
      },
    }),
  })
  return { loop, others }
}

/** What editors and people leave behind of `"defaultVariant": "on"`. */
const REFUSED_EDITS: Readonly<Record<string, (text: string) => string>> = {
  'a trailing comma': (text) => on(text).replace(/\}\s*$/, ',}'),
  'a byte order mark': (text) => `\ufeff${on(text)}`,
  'a comment': (text) => `// maintenance\n${on(text)}`,
  'a value that is no boolean': (text) => on(text).replace('"on": true', '"on": "true"'),
  'half of it, by a writer that pauses': (text) => on(text).slice(0, 100),
}
const on = (text: string) => text.replace('"defaultVariant": "off"', '"defaultVariant": "on"')

/** A loop whose reads of the store hang from `hang` on. */
function setUpHanging(onWrite?: () => void) {
  let hanging = false
  const loop = setUpLoop({
    wrap: (store) => ({
      ...store,
      read: () => (hanging ? new Promise(() => undefined) : store.read()),
      write: (...call) => {
        onWrite?.()
        return store.write(...call)
      },
    }),
  })
  return {
    loop,
    hang: () => {
      hanging = true
    },
  }
}

describe('an edit by hand that is refused', () => {
  for (const [what, edited] of Object.entries(REFUSED_EDITS))
    it(`is kept in the history, notified, and an alert for five minutes: ${what}`, async () => {
      const loop = setUpLoop()
      await loop.start()
      const edit = edited(loop.files.override ?? '')
      loop.files.override = edit
      await loop.pass(3500)
      expect(loop.files.keptAside).to.deep.equal([edit])
      expect(loop.parsed()).to.deep.include({ kind: 'override' })
      for (const told of [loop.notified, loop.kept]) {
        expect(told.map(transitionKind)).to.deep.equal(['hand_edit_refused'])
        expect(told[0]).to.include({ from: 'normal', to: 'normal', actor: 'manual', replica: 'replica-1' })
        expect(told[0]?.reason).to.match(/^line \d+: .+; kept as unreadable-1$/)
      }
      const [alert] = loop.fallback.snapshot().alerts
      expect(alert).to.deep.include({ kind: 'hand_edit_refused', aside: 'unreadable-1' })
      expect(
        loop.lines.filter(({ level, msg }) => level === 40 && String(msg).includes('refused')),
      ).to.have.length.above(0)
      await loop.pass(299_000)
      expect(loop.fallback.snapshot().alerts).to.have.length(1)
      await loop.pass(3000)
      expect(loop.fallback.snapshot().alerts).to.deep.equal([])
      await loop.fallback.stop()
    })

  it('is not one that an editor completes within two seconds', async () => {
    const loop = setUpLoop()
    await loop.start()
    const before = loop.files.override ?? ''
    loop.files.override = on(before).slice(0, 100)
    await loop.pass(1500)
    loop.files.override = on(before)
    await loop.pass(3000)
    expect(loop.notified.map(transitionKind)).to.deep.equal(['hand_edit'])
    expect(loop.fallback.snapshot().override.manual.scope).to.equal('all')
    expect(loop.fallback.snapshot().alerts).to.deep.equal([])
    await loop.fallback.stop()
  })

  it('is told once by the replica that keeps it, and shown by the others', async () => {
    const first = setUpLoop()
    const second = setUpLoop({ files: first.files, replica: 'replica-2' })
    await first.start()
    await second.start()
    first.files.override = `// note\n${on(first.files.override ?? '')}`
    for (let n = 0; n < 500; n += 1) {
      await first.pass(10)
      await second.pass(10)
    }
    const loops = [first, second]
    expect(loops.flatMap(({ notified }) => notified.map(transitionKind))).to.deep.equal(['hand_edit_refused'])
    const kinds = loops.map(({ fallback }) => fallback.snapshot().alerts.map(({ kind }) => kind))
    expect(kinds).to.deep.equal([['hand_edit_refused'], ['hand_edit_refused']])
    expect(first.files.keptAside).to.have.length(1)
    await first.fallback.stop()
    await second.fallback.stop()
  })
})

describe('the fallback loop', () => {
  it('trips on health at the failure that completes the burst, not at the next tick', async () => {
    const loop = setUpLoop()
    await loop.start()
    loop.useRuntime()
    await loop.pass(500)
    loop.knobs.healthy = false
    loop.fallback.trouble()
    await loop.pass(290)
    expect(state(loop)).to.equal('fallback')
    expect(loop.parsed()).to.deep.include({ kind: 'override' })
    expect(isDirect(loop)).to.equal(true)
    expect(loop.notified.map(transitionKind)).to.deep.equal(['trip'])
    await loop.fallback.stop()
  })

  it('does not trip on health while executions of the runtime get their response heads', async () => {
    const loop = setUpLoop()
    await loop.start()
    loop.useRuntime()
    loop.knobs.healthy = false
    for (let n = 0; n < 100; n += 1) {
      loop.fallback.trouble()
      loop.fallback.headCame()
      await loop.pass(100)
    }
    expect(state(loop)).to.equal('normal')
    await loop.pass(1400)
    expect(state(loop)).to.equal('fallback')
    await loop.fallback.stop()
  })

  it('shows the hold that is in force, also where changed guardrails made it shorter', async () => {
    const loop = await tripped()
    const left = () => {
      const { auto } = loop.fallback.snapshot().override
      return auto.state === 'fallback' ? auto.holdUntil - loop.clock.wall() : 0
    }
    expect(left()).to.be.within(29_000, 30_000)
    loop.knobs.guardrails = { ...loop.knobs.guardrails, holdSeconds: 5 }
    await loop.pass(1000)
    expect(left()).to.be.within(3000, 5500)
    await loop.fallback.stop()
  })

  it('lets a turn return to the runtime while its probes are good, but nobody whom a person took off it', async () => {
    const loop = setUpLoop()
    const told = async (command: Command): Promise<void> => {
      const done = loop.fallback.command(command)
      await loop.pass(100)
      await done
    }
    const may = () => loop.fallback.mayReturn(SUBJECT)
    expect(may()).to.equal(false)
    await loop.start()
    expect(may()).to.equal(true)
    loop.record('error', 10)
    await loop.pass(1000)
    expect([state(loop), may()]).to.deep.equal(['fallback', true])
    loop.knobs.healthy = false
    await loop.pass(1000)
    expect(may()).to.equal(false)
    loop.knobs.healthy = true
    await loop.pass(1000)
    expect(may()).to.equal(true)
    await told({ kind: 'trigger', userId: 'a', reason: '', orgIds: ['another'] })
    expect(may()).to.equal(true)
    await told({ kind: 'trigger', userId: 'a', reason: '', orgIds: [SUBJECT.orgId] })
    expect(may()).to.equal(false)
    await told({ kind: 'reset', userId: 'a' })
    await told({ kind: 'trigger', userId: 'a', reason: '' })
    expect(may()).to.equal(false)
    await loop.fallback.stop()
  })

  it('tells turns that wait on the runtime when it trips on health, once, and before the trip is written', async () => {
    const { loop } = losing(0)
    const told: boolean[] = []
    const forget = loop.fallback.onRuntimeLost(() => told.push(loop.fallback.snapshot().persisted))
    await loop.start()
    loop.useRuntime()
    await loop.pass(500)
    loop.knobs.healthy = false
    loop.fallback.trouble()
    await loop.pass(290)
    expect(told).to.deep.equal([false])
    await loop.pass(3000)
    expect(told).to.have.length(1)
    forget()
    await loop.fallback.stop()
  })

  it('writes the trip before hundreds of waiting turns have failed over', async () => {
    const told: number[] = []
    let toldBefore: number | undefined
    const loop = setUpLoop({
      wrap: (store) => ({
        ...store,
        // As a write to a file: some rounds of the event loop.
        async write(...call) {
          for (let step = 0; step < 20; step += 1) await settled()
          toldBefore ??= told.length
          return store.write(...call)
        },
      }),
    })
    for (let n = 0; n < 300; n += 1) loop.fallback.onRuntimeLost(() => void told.push(n))
    await loop.start()
    loop.useRuntime()
    await loop.pass(500)
    loop.knobs.healthy = false
    loop.fallback.trouble()
    await loop.pass(3500)
    expect(toldBefore).to.equal(1)
    expect(told).to.have.length(300)
    await loop.fallback.stop()
  })

  it('tells them nothing where it trips by the executions: what runs may end well', async () => {
    const loop = setUpLoop()
    let told = 0
    loop.fallback.onRuntimeLost(() => {
      told += 1
    })
    await tripped(loop)
    expect(told).to.equal(0)
    // It dies in the fallback: what was decided for it before waits in vain as well.
    loop.knobs.healthy = false
    await loop.pass(3000)
    expect(told).to.equal(1)
    await loop.fallback.stop()
  })

  it('alerts on an unhealthy direct LLM and on a recovery that waits', async () => {
    const loop = setUpLoop()
    loop.knobs.guardrails = { ...loop.knobs.guardrails, tickMs: 10_000, leaseSeconds: 120 }
    await loop.start()
    const kinds = () => loop.fallback.snapshot().alerts.map(({ kind }) => kind)
    loop.record('error', 10)
    await loop.pass(10_000)
    expect(state(loop)).to.equal('fallback')
    loop.record('error', 20, 'direct_llm')
    await loop.pass(20_000)
    expect(state(loop)).to.equal('recovering')
    expect(kinds()).to.deep.equal(['standby_sick'])
    await loop.pass(70_000)
    expect(kinds()).to.deep.equal([])
    await loop.pass(14 * 60_000)
    expect(kinds()).to.deep.equal(['recovery_waits'])
    await loop.fallback.stop()
  })

  it('lets no probe condemn the runtime, or speak for it, that is older than two rounds', async () => {
    const { probeIntervalMs, probeTimeoutMs } = DEFAULT_FLAGS.guardrails
    const limit = 2 * (probeIntervalMs + probeTimeoutMs)
    let seen: ProbeState = {
      failuresInARow: 6,
      goodInARow: 0,
      healthy: false,
      goodForMs: 0,
      agoMs: limit + 1,
    }
    const loop = setUpLoop({
      probe: () => ({
        start: () => undefined,
        stop: async () => undefined,
        trouble: () => undefined,
        requestSent: () => undefined,
        headCame: () => undefined,
        reset: () => undefined,
        state: () => seen,
      }),
    })
    await loop.start()
    loop.useRuntime()
    await loop.pass(3000)
    expect(state(loop)).to.equal('normal')
    seen = { ...seen, agoMs: limit }
    await loop.pass(1000)
    expect(state(loop)).to.equal('fallback')
    // Well for long, and then the process stood still: that is no good probe either.
    seen = { failuresInARow: 0, goodInARow: 9, healthy: true, goodForMs: 1_000_000, agoMs: limit + 1 }
    loop.record('ok', 10)
    await loop.pass(40_000)
    expect(state(loop)).to.equal('fallback')
    seen = { ...seen, agoMs: 0 }
    await loop.pass(3000)
    expect(state(loop)).to.equal('recovering')
    await loop.fallback.stop()
  })

  it('alerts on a fallback that lasts', async () => {
    const loop = setUpLoop()
    loop.knobs.guardrails = { ...loop.knobs.guardrails, tickMs: 10_000, leaseSeconds: 120 }
    await loop.start()
    const kinds = () => loop.fallback.snapshot().alerts.map(({ kind }) => kind)
    loop.useRuntime()
    loop.knobs.healthy = false
    await loop.pass(19 * 60_000)
    expect(state(loop)).to.equal('fallback')
    expect(kinds()).to.deep.equal([])
    await loop.pass(2 * 60_000)
    expect(kinds()).to.deep.equal(['fallback_lasts'])
    await loop.fallback.stop()
  })

  it('looks after the direct LLM that nobody uses, and acts at once', async () => {
    const told: (() => void)[] = []
    const standby = { unusable: false, why: 'http_status 401' }
    const loop = setUpLoop({
      standby: ({ onChange }) => {
        told.push(onChange)
        return {
          start: () => undefined,
          stop: async () => undefined,
          answered: () => {
            standby.unusable = false
          },
          state: () => standby,
        }
      },
    })
    await loop.start()
    standby.unusable = true
    for (const tell of told) tell()
    await loop.pass(100)
    expect(loop.fallback.snapshot().alerts).to.deep.equal([{ kind: 'standby_sick', why: 'http_status 401' }])
    loop.record('error', 20)
    await loop.pass(3000)
    expect(state(loop)).to.equal('normal')
    loop.record('ok', 1, 'direct_llm')
    await loop.pass(1000)
    expect(state(loop)).to.equal('fallback')
    await loop.fallback.stop()
  })

  it('trips on late first contents where that is asked for', async () => {
    const loop = setUpLoop()
    await loop.start()
    const begin = (firstContentMs: number) => {
      for (let n = 0; n < 20; n += 1)
        loop.fallback.record({
          mode: 'runtime_orchestrator',
          orgId: 'org-1',
          agentId: 'assistant',
          startedAt: loop.clock.monotonic(),
          latencyMs: 21_000,
          firstContentMs,
          result: 'ok',
        })
    }
    begin(20_000)
    await loop.pass(2000)
    expect(state(loop)).to.equal('normal')
    loop.knobs.guardrails = { ...loop.knobs.guardrails, firstContentP95Ms: 10_000 }
    await loop.pass(1000)
    expect(state(loop)).to.equal('fallback')
    expect(loop.kept[0]).to.include({ cause: 'first_content', value: 20_000, threshold: 10_000 })
    await loop.fallback.stop()
  })

  it('judges turns that were left after a long wait as timeouts, those left soon as nothing', async () => {
    const loop = setUpLoop()
    await loop.start()
    const leave = (abandoned?: 'first_content') => {
      for (let n = 0; n < 60; n += 1)
        loop.fallback.record({
          mode: 'runtime_orchestrator',
          orgId: 'org-1',
          agentId: 'assistant',
          sessionId: `s${n}`,
          startedAt: loop.clock.monotonic(),
          latencyMs: 4000,
          result: 'aborted',
          code: 'client_gone',
          ...(abandoned === undefined ? {} : { abandoned }),
        })
    }
    leave()
    await loop.pass(2000)
    expect(state(loop)).to.equal('normal')
    leave('first_content')
    await loop.pass(1000)
    expect(state(loop)).to.equal('fallback')
    expect(loop.kept[0]).to.have.nested.property('evidence.runtime.slow.timeouts', 60)
    await loop.fallback.stop()
  })

  it('trips under light traffic by the fifth failure in a row, minutes apart', async () => {
    const loop = setUpLoop()
    loop.knobs.guardrails = { ...loop.knobs.guardrails, tickMs: 10_000, windowSeconds: 30, leaseSeconds: 60 }
    await loop.start()
    for (let n = 0; n < 5; n += 1) {
      await loop.pass(40_000)
      expect(state(loop), `after ${n}`).to.equal('normal')
      loop.record('error')
    }
    await loop.pass(10_000)
    expect(state(loop)).to.equal('fallback')
    await loop.fallback.stop()
  })

  it('asks for a longer row where a fifth of the executions fails every day', async () => {
    const loop = setUpLoop()
    loop.knobs.guardrails = { ...loop.knobs.guardrails, windowSeconds: 30, leaseSeconds: 60 }
    await loop.start()
    for (let n = 0; n < 40; n += 1) {
      loop.record('error', 2)
      loop.record('ok', 8)
      await loop.pass(1000)
    }
    await loop.pass(40_000)
    for (let n = 0; n < 12; n += 1) {
      loop.record('error')
      await loop.pass(10_000)
      expect(state(loop), `after ${n + 1}`).to.equal('normal')
    }
    loop.record('error', 2)
    await loop.pass(1100)
    expect(state(loop)).to.equal('fallback')
    await loop.fallback.stop()
  })

  it('trips on errors at the next tick', async () => {
    const loop = await tripped()
    expect(loop.kept[0]).to.deep.include({ cause: 'error_rate', value: 1, threshold: 0.5 })
    await loop.fallback.stop()
  })

  it('tries again at once what lost its race, upon what the race left', async () => {
    const { loop } = losing(12)
    await loop.start()
    loop.record('error', 10)
    await loop.pass(1200)
    const parsed = loop.parsed()
    expect(parsed.kind === 'override' && parsed.override.auto.state).to.equal('fallback')
    expect(loop.fallback.snapshot()).to.deep.include({ persisted: true })
    expect(loop.notified.map(transitionKind)).to.deep.equal(['trip'])
    await loop.fallback.stop()
  })

  it('keeps its own trip, whatever the provider says, while others win every race', async () => {
    const { loop, others } = losing(1e6)
    await tripped(loop)
    for (let step = 0; step < 60; step += 1) {
      await loop.pass(50)
      expect(state(loop)).to.equal('fallback')
      expect(isDirect(loop, 1e9), 'the provider is ahead').to.equal(true)
    }
    others.left = 0
    await loop.pass(100)
    expect(loop.fallback.snapshot()).to.deep.include({ persisted: true })
    expect(isDirect(loop, 1e9), 'written: the provider counts again').to.equal(false)
    await loop.fallback.stop()
  })

  it('gives its own trip up for a person’s reset, though it was not written yet', async () => {
    const { loop, others } = losing(1e6)
    await loop.start()
    loop.record('error', 10)
    await loop.pass(1500)
    expect(isDirect(loop)).to.equal(true)
    others.left = 0
    const revision = loop.fallback.snapshot().override.revision + 50
    loop.files.override = renderOverride({
      ...NEUTRAL,
      revision,
      replica: 'other',
      actor: 'manual',
      evidenceSince: loop.clock.wall(),
    })
    loop.flagsChanged()
    await loop.pass(50)
    expect(state(loop)).to.equal('normal')
    expect(isDirect(loop, revision)).to.equal(false)
    await loop.fallback.stop()
  })

  it('acts in memory while the store takes no write, says so once, and heals by itself', async () => {
    const loop = setUpLoop()
    await loop.start()
    loop.knobs.writeFault = { code: 'ENOSPC', message: 'the disk is full' }
    loop.record('error', 10)
    await loop.pass(10_000)
    expect(isDirect(loop)).to.equal(true)
    expect(loop.fallback.snapshot()).to.deep.include({ persisted: false, propagated: false })
    expect(loop.fallback.snapshot().alerts.map(({ kind }) => kind)).to.deep.equal(['not_persisted'])
    const told = loop.lines.filter(({ msg }) => msg === '[Fallback] alert: not_persisted')
    expect(told).to.have.length(1)
    expect(loop.notified, 'told although it is not in the store').to.have.length(1)
    loop.knobs.writeFault = undefined
    await loop.pass(31_000)
    expect(loop.fallback.snapshot()).to.deep.include({ persisted: true, alerts: [] })
    expect(loop.notified.map(transitionKind)[0]).to.equal('trip')
    expect(loop.lines.some(({ msg }) => msg === '[Fallback] over: not_persisted')).to.equal(true)
    await loop.fallback.stop()
  })

  it('does not wait for a store that hangs', async () => {
    const { loop, hang } = setUpHanging()
    await loop.start()
    hang()
    loop.record('error', 10)
    await loop.pass(1300)
    expect(isDirect(loop)).to.equal(true)
    await loop.fallback.stop()
  })

  it('writes without waiting for a read that is late, and keeps what else is in the file', async () => {
    let isLate = false
    const other = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' } as const
    const document = JSON.parse(renderOverride(NEUTRAL))
    document.flags['of-somebody-else'] = other
    const files = createMemoryFiles(JSON.stringify(document))
    const loop = setUpLoop({
      files,
      wrap: (store) => ({
        ...store,
        read: () =>
          isLate ? new Promise((done) => loop.clock.schedule(600, () => done(store.read()))) : store.read(),
      }),
    })
    await loop.start()
    isLate = true
    loop.record('error', 10)
    await loop.pass(1300)
    const parsed = loop.parsed()
    expect(parsed.kind === 'override' && parsed.override.auto.state).to.equal('fallback')
    expect(JSON.parse(files.override ?? '').flags['of-somebody-else']).to.deep.equal(other)
    expect(loop.notified.map(transitionKind)).to.deep.equal(['trip'])
    await loop.fallback.stop()
  })

  it('does not write into a store whose read hangs: the loop would hang with it', async () => {
    let writes = 0
    const { loop, hang } = setUpHanging(() => {
      writes += 1
    })
    await loop.start()
    hang()
    await loop.pass(2000)
    loop.record('error', 10)
    await loop.pass(3000)
    expect(isDirect(loop)).to.equal(true)
    expect(writes).to.equal(0)
    await loop.fallback.stop()
  })

  it('says that the store cannot be read, where nothing waits to be written', async () => {
    const { loop, hang } = setUpHanging()
    await loop.start()
    hang()
    await loop.pass(3000)
    expect(loop.fallback.snapshot()).to.deep.include({ persisted: true })
    expect(loop.fallback.snapshot().alerts.map(({ kind }) => kind)).to.deep.equal(['store_unreadable'])
    await loop.fallback.stop()
  })

  it('reports once what it would have done under observe', async () => {
    const loop = setUpLoop()
    loop.knobs.policy = 'observe'
    await loop.start()
    for (let second = 0; second < 5; second += 1) {
      loop.record('error', 10)
      await loop.pass(1000)
    }
    expect(state(loop)).to.equal('normal')
    expect(loop.fallback.snapshot().wouldTrip).to.deep.include({ cause: 'error_rate', value: 1 })
    const told = () =>
      loop.lines.filter(({ msg }) => String(msg).includes('would trip')).map(({ msg }) => msg)
    expect(told()).to.have.length(1)
    loop.knobs.policy = 'auto'
    await loop.pass(1000)
    expect(told()[1]).to.equal('[Fallback] over: would trip')
    await loop.fallback.stop()
  })

  it('keeps a breach that lasts under observe once', async () => {
    const loop = setUpLoop()
    loop.knobs.policy = 'observe'
    await loop.start()
    loop.record('error', 10)
    await loop.pass(1000)
    const kept = loop.samples.length
    for (let second = 0; second < 10; second += 1) {
      loop.record(second % 3 === 0 ? 'ok' : 'error', 2)
      await loop.pass(1000)
    }
    expect(loop.fallback.snapshot().wouldTrip).to.deep.include({ cause: 'error_rate' })
    expect(loop.samples.length).to.equal(kept)
    await loop.fallback.stop()
  })

  it('survives a failing round and says so in the status', async () => {
    const loop = setUpLoop()
    await loop.start()
    loop.knobs.flagsFail = true
    await loop.pass(3000)
    expect(loop.fallback.snapshot().alerts).to.deep.equal([{ kind: 'loop_failed', detail: 'no flags today' }])
    expect(loop.lines.filter(({ level }) => level === 50)).to.have.length(1)
    loop.knobs.flagsFail = false
    loop.record('error', 10)
    await loop.pass(1000)
    expect(state(loop)).to.equal('fallback')
    expect(loop.fallback.snapshot().alerts).to.deep.equal([])
    await loop.fallback.stop()
  })

  it('knows at its start what usually fails, keeps it, and forgets it at a reset', async () => {
    const kept: Usual[] = []
    const keptUsual = {
      load: async () => ({ total: 600, errors: 120, timeouts: 0 }),
      keep: (usual: Usual) => void kept.push(usual),
    }
    const loop = setUpLoop({ keptUsual })
    await loop.start()
    loop.useRuntime()
    loop.record('error', 12)
    await loop.pass(1500)
    expect(loop.fallback.snapshot().override.auto.state).to.equal('normal')
    expect(kept.at(-1)?.total).to.equal(600)
    loop.record('error')
    await loop.pass(1500)
    expect(loop.fallback.snapshot().override.auto.state).to.equal('fallback')
    void loop.fallback.command({ kind: 'reset', userId: 'a' })
    await loop.pass(1500)
    expect(kept.at(-1)).to.deep.equal({ total: 0, errors: 0, timeouts: 0 })
    loop.record('error', 10)
    await loop.pass(1500)
    expect(loop.fallback.snapshot().override.auto.state).to.equal('fallback')
    await loop.fallback.stop()
  })

  it('trips under light traffic when it fails much more often than usual', async () => {
    const loop = setUpLoop({
      keptUsual: { load: async () => ({ total: 600, errors: 120, timeouts: 0 }), keep: () => undefined },
    })
    const { guardrails } = loop.knobs
    loop.knobs.guardrails = { ...guardrails, tickMs: 10_000, probeIntervalMs: 10_000 }
    await loop.start()
    const isNormal = () => loop.fallback.snapshot().override.auto.state === 'normal'
    let turns = 0
    while (isNormal() && turns < 100) {
      loop.useRuntime()
      loop.record(turns % 5 === 4 ? 'ok' : 'error')
      turns += 1
      for (let step = 0; step < 6; step += 1) {
        loop.clock.advance(10_000)
        await settled()
      }
    }
    expect(turns).to.be.within(20, 40)
    const { auto } = loop.fallback.snapshot().override
    expect(auto).to.deep.include({ state: 'fallback' })
    expect(auto.state === 'fallback' && auto.trip).to.deep.include({ cause: 'error_rate', threshold: 0.5 })
    await loop.fallback.stop()
  })

  it('acts on changed guardrails at the next tick and keeps the window', async () => {
    const loop = setUpLoop()
    await loop.start()
    loop.record('error', 4)
    loop.record('ok', 6)
    await loop.pass(1000)
    expect(state(loop)).to.equal('normal')
    loop.knobs.guardrails = { ...loop.knobs.guardrails, errorRate: 0.3 }
    loop.flagsChanged()
    await loop.pass(50)
    expect(state(loop)).to.equal('fallback')
    expect(loop.kept[0]).to.deep.include({ value: 0.4, threshold: 0.3 })
    await loop.fallback.stop()
  })

  it('answers a command with the store already written', async () => {
    const loop = setUpLoop()
    await loop.start()
    const answered = loop.fallback.command({
      kind: 'trigger',
      userId: 'ann',
      reason: 'drill',
      ttlSeconds: 60,
    })
    expect(isDirect(loop), 'in memory at once').to.equal(true)
    await loop.pass(50)
    expect(await answered).to.deep.include({ persisted: true })
    expect(loop.kept[0]).to.deep.include({ userId: 'ann', reason: 'drill', actor: 'manual' })
    await loop.fallback.stop()
  })

  it('lets the provider speak where it has the newer or the same revision', async () => {
    const loop = setUpLoop()
    await loop.start()
    void loop.fallback.command({ kind: 'trigger', userId: 'ann', reason: '' })
    await loop.pass(50)
    const { revision } = loop.fallback.snapshot().override
    expect(loop.fallback.overrideFor(SUBJECT, { on: false, revision }).on).to.equal(false)
    expect(loop.fallback.overrideFor(SUBJECT, { on: false, revision: revision - 1 }).on).to.equal(true)
    expect(loop.fallback.overrideFor(SUBJECT, { on: false }).on).to.equal(true)
    await loop.fallback.stop()
  })

  it('writes once more when the provider does not give the revision back, then alerts', async () => {
    const loop = setUpLoop()
    await loop.start()
    loop.knobs.provided = loop.files.override
    void loop.fallback.command({ kind: 'trigger', userId: 'ann', reason: '' })
    await loop.pass(2500)
    const first = loop.fallback.snapshot().override.revision
    await loop.pass(3000)
    expect(loop.fallback.snapshot().override.revision).to.equal(first + 1)
    await loop.pass(9000)
    expect(loop.fallback.snapshot().override.revision).to.equal(first + 1)
    expect(loop.fallback.snapshot().alerts).to.deep.equal([{ kind: 'not_propagated', revision: first + 1 }])
    expect(loop.notified, 'a rewrite is no transition').to.have.length(1)
    loop.knobs.provided = undefined
    await loop.pass(1000)
    expect(loop.fallback.snapshot()).to.deep.include({ propagated: true, alerts: [] })
    await loop.fallback.stop()
  })

  it('spares no shadow for whom a person took off the runtime', async () => {
    const loop = setUpLoop()
    await loop.start()
    expect(loop.fallback.maySpareShadow(SUBJECT), 'normal').to.equal(false)
    loop.record('error', 10)
    await loop.pass(1000)
    expect(loop.fallback.maySpareShadow(SUBJECT), 'fallback').to.equal(true)
    void loop.fallback.command({ kind: 'trigger', userId: 'ann', reason: '', orgIds: ['org-1'] })
    await loop.pass(50)
    expect(loop.fallback.maySpareShadow(SUBJECT), 'manual').to.equal(false)
    expect(loop.fallback.maySpareShadow({ ...SUBJECT, orgId: 'org-2' }), 'another org').to.equal(true)
    loop.knobs.policy = 'off'
    await loop.pass(1000)
    expect(loop.fallback.maySpareShadow({ ...SUBJECT, orgId: 'org-2' }), 'policy off').to.equal(false)
    await loop.fallback.stop()
  })

  it('comes back by recovery shadows and the ramp, each step judged anew', async () => {
    const loop = setUpLoop()
    await loop.start()
    loop.useRuntime()
    loop.record('error', 10)
    await loop.pass(1000)
    for (let second = 0; second < 200 && state(loop) !== 'normal'; second += 1) {
      loop.useRuntime()
      loop.fallback.recordShadow({
        mode: 'runtime_orchestrator',
        orgId: 'org-1',
        agentId: 'assistant',
        startedAt: loop.clock.monotonic(),
        latencyMs: 50,
        result: 'ok',
      })
      await loop.pass(1000)
    }
    expect(loop.notified.map(transitionKind)).to.deep.equal([
      'trip',
      'recovery_begun',
      'ramp_step',
      'ramp_step',
      'recovered',
    ])
    expect(loop.notified.map(({ recoveringPercent }) => recoveringPercent)).to.deep.equal([
      undefined,
      5,
      25,
      100,
      undefined,
    ])
    await loop.fallback.stop()
  })

  it('keeps what a replay needs: the same inputs give the same transitions', async () => {
    const loop = setUpLoop()
    // the flags take their time before the loop starts
    loop.clock.advance(5000)
    await loop.start()
    loop.useRuntime()
    loop.record('error', 10)
    await loop.pass(2000)
    void loop.fallback.command({ kind: 'reset', userId: 'ann' })
    await loop.pass(2000)
    loop.knobs.healthy = false
    loop.useRuntime()
    await loop.pass(3000)
    loop.files.override = renderOverride({ ...NEUTRAL })
    await loop.pass(2000)
    await loop.fallback.stop()

    const replayed: unknown[] = []
    const [start, ...inputs] = JSON.parse(JSON.stringify(loop.samples.map(({ input }) => input)))
    let replay = initialState(start.self, start.now)
    for (const input of inputs.filter(isOfMachine) as FallbackInput[]) {
      const step = next(replay, input)
      replay = step.state
      for (const effect of step.effects)
        if (effect.kind === 'report' || effect.kind === 'adopted') replayed.push(effect.transition)
    }
    expect(loop.kept.length).to.be.greaterThan(2)
    expect(isDeepStrictEqual(replayed, JSON.parse(JSON.stringify(loop.kept)))).to.equal(true)
    expect(loop.samples.map(({ seq }) => seq)).to.deep.equal(loop.samples.map((_, at) => at))
  })

  it('keeps its whole state now and then, so that a replay can begin there', async () => {
    const loop = setUpLoop()
    loop.clock.advance(5000)
    await loop.start()
    for (let n = 0; n < 300; n += 1) {
      void loop.fallback.command({ kind: 'trigger', userId: 'ann', reason: String(n) })
      await loop.pass(30)
    }
    await loop.fallback.stop()
    const at = loop.samples.findIndex(({ input }) => kindOf(input) === 'checkpoint')
    expect(at).to.be.greaterThan(0)
    const all = JSON.parse(JSON.stringify(loop.samples.map(({ input }) => input)))
    const [checkpoint, ...inputs] = all.slice(at)
    const [start, ...before] = all.slice(0, at).filter(isOfMachine)
    const first = initialState(start.self, start.now)
    const until = before.reduce(
      (state: FallbackState, input: FallbackInput) => next(state, input).state,
      first,
    )
    expect(JSON.parse(JSON.stringify(until))).to.deep.equal(checkpoint.state)
    let replay = checkpoint.state
    for (const input of inputs.filter(isOfMachine))
      if (kindOf(input) !== 'checkpoint') replay = next(replay, input).state
    expect(replay.known).to.deep.equal(JSON.parse(JSON.stringify(loop.fallback.snapshot().override)))
  })

  it('keeps no sample of a tick that changed nothing', async () => {
    const loop = setUpLoop()
    await loop.start()
    loop.useRuntime()
    loop.record('ok', 20)
    await loop.pass(3000)
    const before = loop.samples.length
    for (let second = 0; second < 30; second += 1) {
      loop.record('ok', 5)
      await loop.pass(1000)
    }
    expect(loop.samples.length).to.equal(before)
    await loop.fallback.stop()
  })

  it('lets the lease go at its end and frees everything', async () => {
    const loop = await tripped()
    expect(JSON.parse(loop.files.lease ?? '{}').owner).to.equal('replica-1#nonce')
    await loop.fallback.stop()
    expect(JSON.parse(loop.files.lease ?? '{}').owner).to.equal(null)
    expect(loop.clock.pending()).to.equal(0)
    expect(loop.listening()).to.equal(0)
  })

  it('takes its state from the file at the start', async () => {
    const first = setUpLoop()
    await first.start()
    first.record('error', 10)
    await first.pass(1000)
    await first.fallback.stop()
    const second = setUpLoop({ files: first.files, replica: 'replica-2' })
    await second.start()
    expect(state(second)).to.equal('fallback')
    expect(second.kept, 'nothing new happened').to.deep.equal([])
    await second.fallback.stop()
  })

  it('tells every listener of transitions and ticks, whatever another of them throws', async () => {
    const loop = setUpLoop()
    const seen: string[] = []
    loop.fallback.subscribe(() => {
      throw new Error('a bad listener')
    })
    const stop = loop.fallback.subscribe((event) => seen.push(event.kind))
    await tripped(loop)
    expect(seen).to.include.members(['transition', 'tick'])
    stop()
    seen.length = 0
    await loop.pass(1000)
    expect(seen).to.deep.equal([])
    await loop.fallback.stop()
  })

  it('writes the override anew where its file was taken away', async () => {
    const loop = setUpLoop({ files: createMemoryFiles() })
    await loop.start()
    // Who knows nothing yet lets others write first.
    await loop.pass(2500)
    expect(loop.parsed()).to.deep.include({ kind: 'override' })
    expect(loop.fallback.snapshot()).to.deep.include({ persisted: true, alerts: [] })
    await loop.fallback.stop()
  })
})

/** What the probes came to is kept beside the machine's inputs. */
const isOfMachine = (input: unknown): boolean => kindOf(input) !== 'probe'
