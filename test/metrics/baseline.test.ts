import { expect } from 'chai'
import fc from 'fast-check'
import type { ExecutionFacts } from '../../src/journal/journal.js'
import { baselineOf } from '../../src/metrics/baseline.js'
import { EXECUTION_MODES } from '../../src/protocol/modes.js'

async function* pagesOf(executions: readonly ExecutionFacts[], size: number) {
  for (let at = 0; at < executions.length; at += size) yield executions.slice(at, at + size)
}

const anyExecution: fc.Arbitrary<ExecutionFacts> = fc.record({
  mode: fc.constantFrom(...EXECUTION_MODES),
  result: fc.constantFrom('ok' as const, 'error' as const, 'timeout' as const),
  latencyMs: fc.integer({ min: 1, max: 3_000_000 }).map((tenths) => tenths / 10),
})

describe('the baseline', () => {
  it('is empty where nothing was kept', async () => {
    const { direct_llm, runtime_orchestrator } = await baselineOf(pagesOf([], 1))
    expect(direct_llm).to.include({
      total: 0,
      avgLatencyMs: 0,
      p95LatencyMs: 0,
      errorRate: 0,
      timeoutRate: 0,
    })
    expect(runtime_orchestrator).to.deep.equal(direct_llm)
  })

  it('counts a rejected execution beside the total alone', async () => {
    const rejected = { mode: 'direct_llm', result: 'rejected', latencyMs: 9_000, firstContentMs: 1 } as const
    const { direct_llm, runtime_orchestrator } = await baselineOf(pagesOf([rejected], 1))
    expect(direct_llm).to.deep.equal({ ...runtime_orchestrator, rejected: 1 })
  })

  it('is what somebody finds who goes through all executions, whatever the pages', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyExecution, { maxLength: 60 }),
        fc.integer({ min: 1, max: 70 }),
        async (executions, size) => {
          const modes = await baselineOf(pagesOf(executions, size))
          for (const mode of EXECUTION_MODES) {
            const own = executions.filter((execution) => execution.mode === mode)
            const { total, avgLatencyMs, p95LatencyMs, errorRate, timeoutRate } = modes[mode]
            expect(total).to.equal(own.length)
            if (total === 0) continue
            const failed = own.filter(({ result }) => result !== 'ok').length
            expect(errorRate).to.equal(failed / total)
            expect(timeoutRate).to.equal(own.filter(({ result }) => result === 'timeout').length / total)
            const latencies = own.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b)
            const mean = latencies.reduce((sum, latency) => sum + latency, 0) / total
            expect(avgLatencyMs).to.be.closeTo(mean, mean * 0.005)
            const p95 = latencies[Math.ceil(0.95 * total) - 1] ?? 0
            expect(p95LatencyMs).to.be.closeTo(p95, p95 * 0.02)
          }
        },
      ),
      { numRuns: 100 },
    )
  })
})
