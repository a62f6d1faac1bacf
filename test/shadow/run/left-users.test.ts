import { expect } from 'chai'
import type { ExecutionCall, Turn } from '../../../src/execution/backend.js'
import { createMemoryJournal } from '../../../src/journal/memory/memory-journal.js'
import type { ExecutionMode } from '../../../src/protocol/modes.js'
import { shadowReport } from '../../../src/shadow/report/report.js'
import { manualClock } from '../../support/manual-clock.js'
import { scripted, text } from '../../support/scripted-backend.js'
import { controlOutcome, shadowRig } from '../../support/shadow-rig.js'

const TURNS = 1_000
/** ms: the control's easy turns and its hard ones, the other backend, and how long a user waits */
const [EASY, HARD, OTHER, PATIENCE] = [150, 1_500, 200, 700] as const
const SUBJECT = { from: 0, to: Date.UTC(2100, 0), control: 'direct_llm' } as const

const { firstContentMs: _, ...LEFT } = controlOutcome({
  result: 'aborted',
  code: 'client_gone',
  latencyMs: PATIENCE,
})

describe('a report on a control whose slow turns nobody waits for', () => {
  /** Every turn through the runner and the journal. */
  async function reportOf() {
    const timers = { clock: manualClock() }
    const lasting = (mode: ExecutionMode, ms: (turn: Turn) => number) =>
      scripted(mode, async function* (turn: Turn, call: ExecutionCall) {
        call.onConnected()
        call.onHeaders()
        await new Promise<void>((resolve) => timers.clock.schedule(ms(turn), resolve))
        yield [text('an answer')]
      })
    const journal = createMemoryJournal({ clock: manualClock() })
    const rig = shadowRig(
      {
        direct_llm: lasting('direct_llm', ({ message }) => (message === 'hard' ? HARD : EASY)),
        runtime_orchestrator: lasting('runtime_orchestrator', () => OTHER),
      },
      {
        keep: (comparison) => journal.keepComparison(comparison),
        keepDrop: (drop) => journal.keepDrop(drop),
      },
    )
    timers.clock = rig.clock
    rig.knobs.aaPercent = 30
    for (let turn = 0; turn < TURNS; turn += 1) {
      const isHard = turn % 20 < 7
      const handle = rig.consider('direct_llm', { message: isHard ? 'hard' : 'easy' })
      await rig.rounds(2)
      for (const [at, next] of [
        [EASY, OTHER],
        [OTHER, PATIENCE],
        [PATIENCE, HARD],
        [HARD, HARD],
      ] as const) {
        if (at === EASY) rig.clock.advance(EASY)
        if (at === EASY && !isHard) {
          handle?.saw([{ type: 'text', data: { content: 'an answer' } }])
          handle?.ended(controlOutcome({ latencyMs: EASY, firstContentMs: EASY }))
        }
        if (at === PATIENCE && isHard) handle?.ended(LEFT)
        await rig.rounds(2)
        rig.clock.advance(next - at)
      }
      await rig.rounds(2)
    }
    await rig.runner.stop(0)
    const query = { from: 0, to: SUBJECT.to, controlMode: SUBJECT.control }
    const [sums, dropped] = [await journal.comparisonSums(query), await journal.drops(query)]
    await journal.close()
    return shadowReport(sums, { ...SUBJECT, dropped })
  }

  it('finds that the candidate is better, and says how many left', async () => {
    const report = await reportOf()
    expect(report.pairs.ab + report.pairs.aa).to.equal(TURNS * 0.65)
    expect(report.left.ab + report.left.aa).to.equal(TURNS * 0.35)
    expect(report.trust.trusted).to.equal(true)
    const latency = report.dimensions.find(({ dimension }) => dimension === 'latency')
    // 200 ms against exp(0.65 ln 150 + 0.35 ln 1500) = 335.8 ms
    expect(latency?.net?.value).to.be.closeTo(OTHER / 335.8 - 1, 0.06)
    expect(latency?.p95).to.deep.include({ control: null })
    expect(latency?.p95?.candidate).to.be.closeTo(OTHER, 1)
    expect([latency?.verdict, report.verdict]).to.deep.equal(['better', 'better'])
    expect(report.sentence.en).to.match(
      /^Switching users from the direct LLM to the runtime: better for users/,
    )
    expect(report.sentence.en).to.contain('In 35.0% of the turns (350 of 1000) the user left')
  })
})
