import { expect } from 'chai'
import {
  dueAt,
  leftAllowance,
  limitsOf,
  missed,
  type Progress,
  runtimeAllowance,
} from '../../src/execution/deadlines.js'
import { sampleLimits } from '../support/sample-turn.js'

const start: Progress = {
  connected: false,
  headersAt: undefined,
  thinkingAt: undefined,
  lastEventAt: undefined,
  committed: false,
}
const all = { beforeCommit: 300_000, inAll: 300_000 }

describe('deadlines', () => {
  it('leave the direct LLM its first content before the commit point, or half of the total', () => {
    expect(runtimeAllowance(sampleLimits)).to.deep.equal({ beforeCommit: 240_000, inAll: 300_000 })
    expect(runtimeAllowance({ ...sampleLimits, totalMs: 60_000 }).beforeCommit).to.equal(30_000)
    expect(runtimeAllowance({ ...sampleLimits, totalMs: 1000 }).beforeCommit).to.equal(500)
  })

  it('leave the direct LLM what the turn has not used', () => {
    expect(leftAllowance(sampleLimits, 100_000).inAll).to.equal(200_000)
    expect(leftAllowance(sampleLimits, 400_000).beforeCommit).to.equal(0)
  })

  it('guard a backend that forgets connect and headers', () => {
    expect(dueAt(sampleLimits, all, start)).to.equal(13_500)
    expect(missed(sampleLimits, all, start)).to.deep.equal({ code: 'connect_timeout', phase: 'connect' })
    expect(missed(sampleLimits, all, { ...start, connected: true })).to.deep.equal({
      code: 'headers_timeout',
      phase: 'headers',
    })
  })

  it('count first content from the response head', () => {
    const progress = { ...start, connected: true, headersAt: 5000 }
    expect(dueAt(sampleLimits, all, progress)).to.equal(65_000)
    expect(missed(sampleLimits, all, progress)).to.deep.equal({
      code: 'first_content_timeout',
      phase: 'first_content',
    })
  })

  it('count first content from the latest thinking, where thinking holds it off', () => {
    const progress = { ...start, connected: true, headersAt: 5000, thinkingAt: 50_000, lastEventAt: 55_000 }
    expect(dueAt(sampleLimits, all, progress)).to.equal(110_000)
    expect(missed(sampleLimits, all, progress).code).to.equal('first_content_timeout')
  })

  it('of the direct LLM are its own where it has some; the total is shared', () => {
    const llm = { connectMs: 1, headersMs: 2, firstContentMs: 3, gapMs: 4 }
    const limits = { ...sampleLimits, llm }
    expect(limitsOf('direct_llm', limits)).to.include({ ...llm, totalMs: 300_000 })
    expect(limitsOf('runtime_orchestrator', limits)).to.equal(limits)
    expect(limitsOf('direct_llm', sampleLimits)).to.equal(sampleLimits)
    expect(runtimeAllowance(limits).beforeCommit).to.equal(240_000)
  })

  it('count the gap from the latest event, before and after the commit point', () => {
    const limits = { ...sampleLimits, gapMs: 1000 }
    const progress = { ...start, connected: true, headersAt: 0, lastEventAt: 7000 }
    expect(dueAt(limits, all, progress)).to.equal(8000)
    expect(missed(limits, all, progress)).to.deep.equal({ code: 'gap_timeout', phase: 'first_content' })
    expect(missed(limits, all, { ...progress, committed: true }).phase).to.equal('streaming')
  })

  it('hold the total in every phase', () => {
    const short = { beforeCommit: 1000, inAll: 2000 }
    expect(missed(sampleLimits, short, start)).to.deep.equal({ code: 'total_timeout', phase: 'connect' })
    const progress = { ...start, connected: true, headersAt: 0, lastEventAt: 900, committed: true }
    expect(dueAt(sampleLimits, short, progress)).to.equal(2000)
    expect(missed(sampleLimits, short, progress)).to.deep.equal({ code: 'total_timeout', phase: 'streaming' })
  })
})
