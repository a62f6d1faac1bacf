import { ErrorCode } from '@openfeature/server-sdk'
import { expect } from 'chai'
import { silentLogger } from '../../../src/core/logger.js'
import { NOBODY } from '../../../src/decision/caller.js'
import { createTurnDefaults } from '../../../src/decision/code-defaults.js'
import { RpcTurns } from '../../../src/decision/daemon/rpc-turns.js'
import { FlagFaults } from '../../../src/decision/flag-faults.js'
import { KeptFlags } from '../../../src/decision/values/kept-flags.js'
import { RefusedFlags } from '../../../src/decision/values/refused-flags.js'
import type { TurnDetails } from '../../../src/decision/values/turn-flag-reader.js'
import { TurnFlagValues } from '../../../src/decision/values/turn-flag-values.js'
import { answer, evaluationsOf, nobody, turnDetails } from '../../support/flag-details.js'
import { CODE_DEFAULTS, callerOf } from '../../support/flag-files.js'
import { manualClock } from '../../support/manual-clock.js'

/** Ends when every promise that can go on has gone on. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

function setUp() {
  const clock = manualClock()
  const flagValues = new TurnFlagValues(
    createTurnDefaults(CODE_DEFAULTS),
    { isStale: () => false, whenAbsent: (found) => (found ? 'default' : 'away') },
    new RefusedFlags(new FlagFaults(clock, silentLogger), clock),
    new KeptFlags(undefined, clock),
  )
  const asked: ((details: TurnDetails) => void)[] = []
  const told: string[] = []
  const away: boolean[] = []
  const daemon = { answers: true, connected: true }
  const turns = new RpcTurns({
    clock,
    flagValues,
    evaluate: () => {
      if (daemon.answers) return evaluationsOf(Promise.resolve(turnDetails()))
      return evaluationsOf(new Promise((resolve) => asked.push(resolve)))
    },
    isConnected: () => daemon.connected,
    onAway: () => told.push('away'),
    onLate: (isLate) => told.push(isLate ? 'late' : 'in time'),
    onAnswer: (details, wasAway) => {
      flagValues.resolve(NOBODY, details)
      told.push('answer')
      away.push(wasAway)
    },
  })
  return { clock, turns, asked, told, away, daemon }
}

const me = callerOf(1)

describe('turns by resolver rpc', () => {
  it('use what is known until a probe was answered', async () => {
    const { turns, told } = setUp()
    expect((await turns.forTurn(me)).mode.reason).to.equal('code_default')
    await turns.probe()
    expect((await turns.forTurn(me)).mode).to.deep.equal({ value: 'runtime_orchestrator', reason: 'default' })
    expect(told).to.deep.equal(['answer'])
  })

  it('wait 50 ms each for a daemon that falls silent, and after half a second without any answer not at all', async () => {
    const { clock, turns, asked, told, daemon } = setUp()
    await turns.probe()
    await turns.forTurn(me)
    daemon.answers = false
    let first: string | undefined
    const waiting = turns.forTurn(me).then(({ mode }) => {
      first = mode.reason
    })
    await settled()
    clock.advance(49)
    await settled()
    expect(first).to.equal(undefined)
    clock.advance(1)
    await waiting
    expect(first).to.equal('stale')
    expect(turns.away, 'one missed answer').to.equal(false)
    clock.advance(499)
    expect(told).to.deep.equal(['answer'])
    clock.advance(1)
    expect(told).to.deep.equal(['answer', 'away'])
    const asking = asked.length
    for (let at = 0; at < 100; at++) await turns.forTurn(callerOf(at))
    expect(asked.length).to.equal(asking)
  })

  it('never call a daemon away whose answers come, however late; take them for the next turn, and tell', async () => {
    const { clock, turns, asked, told, daemon } = setUp()
    await turns.probe()
    daemon.answers = false
    for (let at = 0; at < 40; at++) {
      const waiting = turns.forTurn(callerOf(at))
      clock.advance(49)
      clock.advance(1)
      expect((await waiting).mode, `session ${at}`).to.deep.equal({
        value: 'runtime_orchestrator',
        reason: 'stale',
      })
      clock.advance(10)
      asked.shift()?.(turnDetails())
      await settled()
    }
    expect(told).to.deep.equal(['answer', 'late'])
    expect(turns.away).to.equal(false)
    daemon.answers = true
    clock.advance(60_000)
    await turns.forTurn(me)
    expect(told).to.deep.equal(['answer', 'late', 'in time'])
    expect(clock.pending()).to.equal(0)
  })

  /** of the nine turns' answers and, the last, the probe's */
  const orders: Readonly<Record<string, (at: number, other: number) => number>> = {
    'the probe’s last': (at, other) => at - other,
    'the probe’s first': (at, other) => other - at,
    'the probe’s among the others': (at, other) => (at % 4) - (other % 4) || at - other,
  }
  for (const [name, order] of Object.entries(orders))
    it(`call a daemon late for no answer that waited in its silence, ${name}`, async () => {
      const { clock, turns, asked, told, daemon } = setUp()
      await turns.probe()
      daemon.answers = false
      for (let at = 0; at < 9; at++) {
        const waiting = turns.forTurn(callerOf(at))
        clock.advance(49)
        clock.advance(1)
        await waiting
      }
      clock.advance(100)
      expect(told).to.deep.equal(['answer', 'away'])
      expect(asked).to.have.length(10)
      for (const at of [...asked.keys()].sort(order)) {
        asked[at]?.(turnDetails())
        await settled()
      }
      expect(told).to.deep.equal(['answer', 'away', 'answer'])
      expect(turns.away).to.equal(false)
    })

  it('call a daemon late for no turn that was still waiting when its silence was found out', async () => {
    const { clock, turns, asked, told, daemon } = setUp()
    await turns.probe()
    daemon.answers = false
    const first = turns.forTurn(me)
    clock.advance(49)
    clock.advance(1)
    await first
    clock.advance(480)
    const waiting = Array.from({ length: 6 }, (_, at) => turns.forTurn(callerOf(at)))
    clock.advance(20)
    expect(told).to.deep.equal(['answer', 'away'])
    clock.advance(29)
    clock.advance(1)
    await Promise.all(waiting)
    // The probe's question is the last one.
    for (const answered of asked.splice(0).reverse()) {
      answered(turnDetails())
      await settled()
    }
    expect(told).to.deep.equal(['answer', 'away', 'answer'])
  })

  it('follow a daemon that is always late: each answer is kept for the next turn', async () => {
    const { clock, turns, asked, daemon } = setUp()
    await turns.probe()
    daemon.answers = false
    const modes: string[] = []
    for (const mode of ['direct_llm', 'runtime_orchestrator', 'direct_llm', 'direct_llm']) {
      const waiting = turns.forTurn(me)
      clock.advance(49)
      clock.advance(1)
      modes.push((await waiting).mode.value)
      asked.shift()?.(turnDetails({ mode: answer(mode) }))
      await settled()
    }
    expect(modes).to.deep.equal(['runtime_orchestrator', 'direct_llm', 'runtime_orchestrator', 'direct_llm'])
  })

  it('have one probe in flight, which brings the daemon back', async () => {
    const { clock, turns, asked, told, daemon } = setUp()
    daemon.answers = false
    for (let at = 0; at < 10; at++) void turns.probe()
    expect(asked).to.have.length(1)
    clock.advance(20_000)
    await settled()
    expect(asked).to.have.length(1)
    asked[0]?.(turnDetails())
    await settled()
    expect(told).to.deep.equal(['answer'])
    expect(turns.away).to.equal(false)
  })

  it('probe again, a quarter of a second later, a daemon that refuses', async () => {
    const { clock, turns, asked, daemon } = setUp()
    daemon.answers = false
    daemon.connected = false
    void turns.probe()
    for (let at = 1; at <= 5; at++) {
      asked[at - 1]?.(nobody())
      await settled()
      expect(asked).to.have.length(at)
      clock.advance(250)
      expect(asked).to.have.length(at + 1)
    }
    expect(turns.away).to.equal(true)
  })

  it('give a probe up that nobody answers at all', async () => {
    const { clock, turns, asked, daemon } = setUp()
    daemon.answers = false
    void turns.probe()
    clock.advance(30_000)
    await settled()
    clock.advance(250)
    expect(asked).to.have.length(2)
  })

  it('take what did answer in time, and the rest from what is known', async () => {
    const { clock, turns, asked, daemon } = setUp()
    await turns.probe()
    daemon.answers = false
    const waiting = turns.forTurn(me)
    clock.advance(49)
    asked[0]?.(turnDetails())
    await settled()
    clock.advance(1)
    expect((await waiting).mode.reason).to.equal('default')
    expect(turns.away).to.equal(false)
  })

  it('keep a late answer for the next turn of a caller never seen', async () => {
    const { clock, turns, asked, daemon } = setUp()
    await turns.probe()
    daemon.answers = false
    const waiting = turns.forTurn(me)
    clock.advance(49)
    clock.advance(1)
    expect((await waiting).mode.reason).to.equal('stale')
    asked[0]?.(turnDetails({ profile: answer({ model: 'late' }) }))
    await settled()
    turns.leave()
    expect((await turns.forTurn(me)).mode).to.deep.equal({ value: 'runtime_orchestrator', reason: 'stale' })
    expect((await turns.forTurn(me)).profile.model).to.equal('late')
  })

  it('do not ask a daemon that is known to be gone', async () => {
    const { turns, asked, daemon } = setUp()
    await turns.probe()
    await turns.forTurn(me)
    daemon.answers = false
    daemon.connected = false
    turns.leave()
    const probes = asked.length
    expect((await turns.forTurn(me)).mode.reason).to.equal('stale')
    expect(asked.length).to.equal(probes)
  })

  it('take FLAG_NOT_FOUND as no answer only while the provider is not connected', async () => {
    const { turns, asked, daemon } = setUp()
    daemon.answers = false
    void turns.probe()
    asked[0]?.(nobody(ErrorCode.FLAG_NOT_FOUND))
    await settled()
    expect(turns.away).to.equal(false)
  })

  it('are spared what a question of the service found out: nobody is there', async () => {
    const { clock, turns, asked, told, daemon } = setUp()
    const silence = () => new Promise<never>(() => {})
    let questions = 0
    const service = () => {
      questions += 1
      return {
        guardrails: silence(),
        policy: silence(),
        override: Promise.resolve(answer(true)),
        rollout: silence(),
        mode: silence(),
      }
    }
    expect(await turns.forService(service), 'before flagd was there').to.deep.equal({})
    await turns.probe()
    daemon.answers = false
    const asking = turns.forService(service)
    clock.advance(49)
    await settled()
    expect(turns.away).to.equal(false)
    clock.advance(1)
    expect(await asking).to.deep.equal({
      guardrails: undefined,
      policy: undefined,
      override: answer(true),
      rollout: undefined,
      mode: undefined,
    })
    expect(turns.away).to.equal(false)
    clock.advance(500)
    expect(turns.away).to.equal(true)
    expect(told).to.deep.equal(['answer', 'away'])
    const probes = asked.length
    for (let at = 0; at < 100; at++) await Promise.all([turns.forService(service), turns.forTurn(me)])
    expect(questions).to.equal(1)
    expect(asked.length).to.equal(probes)
  })

  it('say whether turns did without flagd until a probe was answered', async () => {
    const { turns, away, daemon } = setUp()
    await turns.probe()
    await turns.probe()
    daemon.connected = false
    turns.leave()
    await settled()
    expect(away).to.deep.equal([true, false, true])
  })

  it('leave no timer and no probe behind', async () => {
    const { clock, turns, daemon } = setUp()
    await turns.probe()
    await turns.forTurn(me)
    expect(clock.pending()).to.equal(0)
    daemon.answers = false
    turns.leave()
    turns.close()
    clock.advance(30_000)
    await settled()
    expect(clock.pending()).to.equal(0)
  })

  it('leave no timer behind where they are closed while a turn waits', async () => {
    const { clock, turns, daemon } = setUp()
    await turns.probe()
    daemon.answers = false
    const waiting = turns.forTurn(me)
    turns.close()
    clock.advance(49)
    clock.advance(1)
    await waiting
    await settled()
    expect(clock.pending()).to.equal(0)
  })
})
