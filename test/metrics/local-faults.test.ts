import { expect } from 'chai'
import type { Outcome } from '../../src/execution/outcome.js'
import { ownDnsCheck } from '../../src/execution/upstream/own-dns.js'
import { createLocalFaults } from '../../src/metrics/local-faults.js'
import { manualClock } from '../support/manual-clock.js'
import { settled } from '../support/turn-runner.js'
import { sampleOutcome } from './sample-outcome.js'

describe('faults of our own machine', () => {
  const failed = sampleOutcome({ mode: 'runtime_orchestrator', result: 'error' })
  let evidence: Outcome[]
  const record = (outcome: Outcome): void => void evidence.push(outcome)
  beforeEach(() => {
    evidence = []
  })

  it('are no evidence, and are told for a minute, the newest first', () => {
    const clock = manualClock()
    const faults = createLocalFaults({ clock, dnsIsOurs: async () => false })
    faults.sift({ ...failed, localFault: 'EMFILE' }, record)
    faults.sift(failed, record)
    expect(evidence).to.deep.equal([failed])
    clock.advance(30_000)
    faults.note('held_up')
    expect([faults.recent(), faults.count]).to.deep.equal([['held_up', 'EMFILE'], 2])
    clock.advance(30_000)
    expect(faults.recent()).to.deep.equal(['held_up'])
    clock.advance(30_000)
    expect(faults.recent()).to.deep.equal([])
  })

  for (const isOurs of [true, false])
    it(`of DNS are those that the direct LLM ${isOurs ? 'has too' : 'has not'}`, async () => {
      const faults = createLocalFaults({ clock: manualClock(), dnsIsOurs: async () => isOurs })
      const unresolved: Outcome = { ...failed, isDnsFault: true }
      faults.sift(unresolved, record)
      await settled()
      expect(evidence).to.deep.equal(isOurs ? [] : [unresolved])
      expect(faults.recent()).to.deep.equal(isOurs ? ['own_dns'] : [])
    })

  it('of DNS are asked for once a second, for a second at most', async () => {
    const clock = manualClock()
    let asked: string[] = []
    let answer: () => Promise<unknown> = () => Promise.reject(new Error('ENOTFOUND'))
    const isOurs = ownDnsCheck('https://llm.test:8443/v1', clock, (name) => {
      asked.push(name)
      return answer()
    })
    expect(await Promise.all([isOurs(), isOurs()])).to.deep.equal([true, true])
    expect(asked).to.deep.equal(['llm.test'])
    clock.advance(1_000)
    answer = async () => ({ address: '192.0.2.1' })
    expect(await isOurs()).to.equal(false)
    clock.advance(1_000)
    answer = () => new Promise(() => undefined)
    const late = isOurs()
    clock.advance(1_000)
    expect(await late).to.equal(true)
    asked = []
    expect(await ownDnsCheck('http://127.0.0.1:1/v1', clock)()).to.equal(false)
    expect(await ownDnsCheck('http://[::1]:1/v1', clock)()).to.equal(false)
  })
})
