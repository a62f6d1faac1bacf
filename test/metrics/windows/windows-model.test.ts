import { expect } from 'chai'
import fc from 'fast-check'
import type { Outcome } from '../../../src/execution/outcome.js'
import { createPublicWindows } from '../../../src/metrics/windows/public-windows.js'
import { EXECUTION_MODES, type ExecutionMode } from '../../../src/protocol/modes.js'
import { manualClock } from '../../support/manual-clock.js'
import { sampleOutcome } from '../sample-outcome.js'
import { expectMetrics, NaiveWindows } from './naive-windows.js'

/** The coarsest slices there are: a tenth of the window, of an org's. */
const PARTS = 10

type Step =
  | { readonly kind: 'record'; readonly outcome: Outcome; readonly times: number; readonly everyMs: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'resize'; readonly windowSeconds: number }
  | { readonly kind: 'clear'; readonly mode: ExecutionMode }
  | { readonly kind: 'read' }

const mode = fc.constantFrom(...EXECUTION_MODES)
const latencyMs = fc.oneof(
  fc.integer({ min: 1, max: 300_000 }),
  fc.double({ min: 0.2, max: 50, noNaN: true }),
)
const outcome = fc
  .record({
    mode,
    orgId: fc.constantFrom('org-1', 'org-2', 'org-3'),
    result: fc.constantFrom('ok', 'ok', 'error', 'timeout', 'aborted'),
    latencyMs,
    firstContentMs: fc.option(latencyMs),
  })
  .map(({ firstContentMs, ...rest }) =>
    sampleOutcome({ ...rest, ...(firstContentMs === null ? {} : { firstContentMs }) }),
  )
const windowSeconds = fc.oneof(
  fc.constantFrom(1, 5, 300),
  fc.integer({ min: 1, max: 3_600 }),
  fc.integer({ min: 1, max: 86_400 }),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('record'),
      outcome,
      // several hundred at once take an org from one by one to slices
      times: fc.oneof(fc.constant(1), fc.nat(20), fc.nat(400)),
      everyMs: fc.constantFrom(0, 0, 1, 20, 500),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('advance'),
      ms: fc.oneof(fc.nat(500), fc.nat(20_000), fc.nat(400_000), fc.nat(90_000_000)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('resize'), windowSeconds }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear'), mode }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read') }) },
)

describe('the public windows and a list of everything', () => {
  it('agree, up to one slice at the edge and 2% of a quantile', () => {
    fc.assert(
      fc.property(windowSeconds, fc.array(step, { maxLength: 40, size: 'max' }), (seconds, steps) => {
        const clock = manualClock()
        const windows = createPublicWindows(clock, { windowSeconds: seconds })
        const naive = new NaiveWindows(clock, seconds, PARTS)
        for (const one of [...steps, { kind: 'read' } as const]) {
          switch (one.kind) {
            case 'record':
              for (let at = 0; at < one.times; at++) {
                // spread, so that quantiles have something to tell apart
                const outcome = { ...one.outcome, latencyMs: one.outcome.latencyMs * (1 + at / 100) }
                windows.record(outcome)
                naive.record(outcome)
                clock.advance(one.everyMs)
              }
              break
            case 'advance':
              clock.advance(one.ms)
              break
            case 'resize':
              windows.resize(one.windowSeconds)
              naive.resize(one.windowSeconds)
              break
            case 'clear':
              windows.clear(one.mode)
              naive.held = naive.held.filter(({ outcome }) => outcome.mode !== one.mode)
              break
            case 'read':
              naive.age()
              for (const mode of EXECUTION_MODES) {
                const held = naive.held.filter(({ outcome }) => outcome.mode === mode)
                expectMetrics(windows.overall(mode), held)
                for (const orgId of ['org-1', 'org-2', 'org-3'])
                  expectMetrics(
                    windows.ofOrg(orgId, mode),
                    held.filter(({ outcome }) => outcome.orgId === orgId),
                  )
              }
          }
        }
        expect(windows.droppedOrgs).to.equal(0)
      }),
      { numRuns: 120 },
    )
  })
})
