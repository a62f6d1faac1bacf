import { expect } from 'chai'
import fc from 'fast-check'
import type { ExecutionFacts } from '../../../src/journal/journal.js'
import { baselineOf } from '../../../src/metrics/baseline.js'
import { keptWindows } from '../../../src/metrics/windows/kept-windows.js'
import { EXECUTION_MODES } from '../../../src/protocol/modes.js'

type At = ExecutionFacts & { readonly at: number }

const MINUTE_MS = 60_000
const TO = 100 * MINUTE_MS

const anyExecution: fc.Arbitrary<At> = fc.record(
  {
    at: fc.integer({ min: TO - 12 * MINUTE_MS, max: TO + MINUTE_MS }),
    mode: fc.constantFrom(...EXECUTION_MODES),
    result: fc.constantFrom('ok' as const, 'error' as const, 'timeout' as const, 'rejected' as const),
    latencyMs: fc.integer({ min: 1, max: 300_000 }),
    firstContentMs: fc.integer({ min: 1, max: 10_000 }),
  },
  { requiredKeys: ['at', 'mode', 'result', 'latencyMs'] },
)

const reader = (executions: readonly At[], asked: { from: number; to: number }[] = []) =>
  async function* (span: { from: number; to: number }) {
    asked.push(span)
    yield executions.filter(({ at }) => at >= span.from && at < span.to)
  }

async function* once<T>(page: T) {
  yield page
}

describe('the windows from kept executions', () => {
  it('are at each point what the executions of its window come to', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyExecution, { maxLength: 80 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 6 }),
        async (executions, points, windowSteps) => {
          const found = await keptWindows(reader(executions), {
            to: TO,
            points,
            stepMs: MINUTE_MS,
            windowSteps,
          })
          expect(found.map(({ at }) => (TO - at) / MINUTE_MS)).to.deep.equal(
            Array.from({ length: points }, (_, index) => points - 1 - index),
          )
          for (const { at, modes } of found) {
            const inIt = executions.filter((one) => one.at < at && one.at >= at - windowSteps * MINUTE_MS)
            expect(modes).to.deep.equal(await baselineOf(once(inIt)))
          }
        },
      ),
    )
  })

  it('read each execution once', async () => {
    const asked: { from: number; to: number }[] = []
    await keptWindows(reader([], asked), { to: TO, points: 61, stepMs: MINUTE_MS, windowSteps: 5 })
    expect(asked).to.have.length(65)
    for (const [index, { from }] of asked.entries())
      if (index > 0) expect(from).to.equal(asked[index - 1]?.to)
    expect(asked.at(-1)?.to).to.equal(TO)
  })
})
