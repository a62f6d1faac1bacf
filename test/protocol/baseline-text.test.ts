import { expect } from 'chai'
import { BASELINE_METRICS } from '../../src/protocol/baseline.js'
import {
  type BaselineCells,
  baselineName,
  baselineSentence,
  baselineTarget,
  baselineValue,
} from '../../src/protocol/baseline-text.js'

const good = { value: 0, met: true }
const WELL: BaselineCells = { avgLatencyMs: good, p95LatencyMs: good, errorRate: good, timeoutRate: good }
const LATE: BaselineCells = {
  ...WELL,
  p95LatencyMs: { value: 6_200, met: false },
  timeoutRate: { value: 0.0213, met: false },
}

describe('what is said of the baseline', () => {
  it('names the targets of the operators', () => {
    expect(BASELINE_METRICS.map(baselineTarget)).to.deep.equal(['< 3 s', '< 5 s', '< 5%', '< 2%'])
    expect(baselineValue('p95LatencyMs', 1_234)).to.equal('1.234 s')
    expect(baselineValue('errorRate', 0.0425)).to.equal('4.25%')
    expect(baselineName('errorRate', 'zh-CN')).to.equal('错误率')
  })

  it('is one sentence a mode, with what is missed', () => {
    expect(baselineSentence('runtime', 1, WELL, 'en')).to.equal('Runtime: all targets met (1 execution)')
    expect(baselineSentence('runtime', 20, WELL, 'zh-CN')).to.equal('Runtime：各项指标均达标（20 次执行）')
    expect(baselineSentence('direct', 20, LATE, 'en')).to.equal(
      'Direct LLM: 2 of 4 targets missed: P95 latency 6.200 s (target < 5 s), timeout rate 2.13% (target < 2%) (20 executions)',
    )
    expect(baselineSentence('direct', 20, LATE, 'zh-CN')).to.equal(
      'direct LLM：2 项未达标：P95 延迟 6.200 s（目标 < 5 s）、超时率 2.13%（目标 < 2%）（20 次执行）',
    )
    expect(baselineSentence('direct', 0, WELL, 'en')).to.equal('Direct LLM: no executions in this span')
  })
})
