import { expect } from 'chai'
import type { Outcome } from '../../../src/execution/outcome.js'
import { RuntimeExecutions, runtimeWindows } from '../../../src/fallback/evidence/runtime-executions.js'
import type { Usual } from '../../../src/fallback/evidence/usual-failures.js'
import { createJudgedLog } from '../../../src/metrics/windows/judged-log.js'
import { createJudgedWindow } from '../../../src/metrics/windows/judged-window.js'
import { scopeOf } from '../../../src/protocol/fallback-scope.js'
import { manualClock } from '../../support/manual-clock.js'
import { GUARDRAILS } from '../machine/driven.js'

const USED = { isInUse: true, isUsual: true }
const MINUTE = 60_000

/** Executions of a runtime, one a second; what is kept of what usually fails. */
function executions(seeded?: Usual) {
  const clock = manualClock()
  clock.advance(1_000_000)
  const kept: (readonly [Usual, 'now' | undefined])[] = []
  const judged = { runtime: createJudgedWindow(clock), log: createJudgedLog(clock) }
  const keptUsual = {
    load: async () => seeded,
    keep: (usual: Usual, now?: 'now') => void kept.push([usual, now]),
  }
  const runtime = new RuntimeExecutions({ clock, judged, keptUsual })
  let count = 0
  const ends = (times: number, result: string, use = USED, orgId = 'acme') => {
    for (let n = 0; n < times; n += 1) {
      clock.advance(1000)
      count += 1
      const outcome = {
        mode: 'runtime_orchestrator',
        result,
        code: 'runtime_error',
        phase: 'headers',
        orgId,
        agentId: 'helper',
        sessionId: `s${count}`,
        startedAt: clock.monotonic(),
        latencyMs: 10,
      }
      runtime.record(outcome as Outcome, GUARDRAILS, use)
    }
  }
  const windows = (isInUse = true) => runtime.windows(GUARDRAILS, { isInUse })
  return { clock, kept, judged, runtime, ends, windows }
}

describe('the executions of the runtime', () => {
  it('are judged in their windows, and told apart by org', () => {
    const { ends, windows, judged } = executions()
    ends(3, 'ok')
    ends(2, 'error', USED, 'globex')
    ends(1, 'aborted')
    expect(windows().slow).to.include({ total: 5, errors: 2 })
    const reach = { fastMs: MINUTE, atLeast: 1, windowMs: MINUTE }
    expect(judged.log.tally(({ orgId }) => orgId === 'globex', reach)).to.include({ total: 2, errors: 2 })
  })

  it('tell what is usual once enough have followed, and not what failed in a breach', () => {
    const { ends, windows } = executions()
    ends(200, 'ok')
    expect(windows().usual).to.include({ errors: 0 })
    const known = windows().usual?.total ?? 0
    expect(known).to.be.within(100, 200)
    ends(60, 'error', { isInUse: true, isUsual: false })
    ends(1, 'ok')
    expect(windows().usual).to.deep.equal({ total: known, errors: 0, timeouts: 0 })
  })

  it('tell nothing of what is usual before anything is known', () => {
    const { ends, windows } = executions()
    expect(windows()).to.not.have.any.keys('usual', 'changed')
    ends(5, 'ok')
    ends(300, 'aborted')
    expect(windows()).to.not.have.any.keys('usual', 'changed')
  })

  it('tell since when more fail than usual, while the runtime is in use', async () => {
    const { runtime, ends, windows } = executions({ total: 900, errors: 9, timeouts: 0 })
    await runtime.load()
    ends(20, 'error')
    expect(windows().changed).to.include({ errors: 20 })
    expect(windows(false)).to.not.have.property('changed')
    ends(1, 'error', { isInUse: false, isUsual: false })
    expect(windows()).to.not.have.property('changed')
  })

  it('count no more once the state that they were judged in has ended', async () => {
    const { runtime, ends, windows, judged, clock } = executions({ total: 900, errors: 9, timeouts: 0 })
    await runtime.load()
    ends(20, 'error')
    clock.advance(1)
    runtime.restart(scopeOf('orgs', ['globex']))
    expect(windows().slow.total).to.equal(0)
    expect(windows()).to.not.have.property('changed')
    expect(windows().usual).to.include({ total: 900 })
    const reach = { fastMs: MINUTE, atLeast: 1, windowMs: MINUTE }
    expect(judged.log.tally(() => true, reach).total).to.equal(20)
    runtime.restart(undefined)
    expect(judged.log.tally(() => true, reach).total).to.equal(0)
  })
})

describe('what usually fails of the runtime', () => {
  it('is kept from one process to the next, but for one that knows nothing', async () => {
    const { runtime, kept } = executions({ total: 500, errors: 5, timeouts: 0 })
    runtime.keep()
    expect(kept).to.deep.equal([])
    await runtime.load()
    runtime.keep()
    runtime.keep('now')
    expect(kept).to.deep.equal([
      [{ total: 500, errors: 5, timeouts: 0 }, undefined],
      [{ total: 500, errors: 5, timeouts: 0 }, 'now'],
    ])
  })

  it('is forgotten by a reset, here and where it is kept', async () => {
    const { runtime, kept, windows, ends } = executions({ total: 500, errors: 5, timeouts: 0 })
    await runtime.load()
    ends(20, 'error')
    runtime.forget()
    expect(kept).to.deep.equal([[{ total: 0, errors: 0, timeouts: 0 }, 'now']])
    expect(windows()).to.not.have.any.keys('usual', 'changed')
  })

  it('is not needed', async () => {
    const clock = manualClock()
    const judged = { runtime: createJudgedWindow(clock), log: createJudgedLog(clock) }
    const runtime = new RuntimeExecutions({ clock, judged, keptUsual: undefined })
    await runtime.load()
    runtime.forget()
    runtime.keep('now')
    expect(runtime.windows(GUARDRAILS, { isInUse: true }).slow.total).to.equal(0)
  })
})

describe('the windows of the guardrails', () => {
  const asked = (part: object, usual?: Usual) => {
    const calls: Record<string, unknown[]> = { tally: [], newest: [], streak: [], firstContent: [] }
    const note =
      (name: string) =>
      (...args: unknown[]) => {
        calls[name]?.push(args)
        return `${name} ${args.join(' ')}`
      }
    const window = {
      tally: note('tally'),
      newest: note('newest'),
      streak: note('streak'),
      firstContent: note('firstContent'),
    }
    const windows = runtimeWindows(
      window as unknown as Parameters<typeof runtimeWindows>[0],
      { ...GUARDRAILS, ...part },
      { slowMs: 7000, recentMs: 9000 },
      usual,
    )
    return { windows: windows as unknown, calls }
  }

  it('reach back as far as each says', () => {
    expect(asked({}).windows).to.deep.equal({
      slow: 'tally 7000',
      fast: 'newest 10000 20 300000',
      recent: 'newest 10000 5 9000',
      streak: 'streak 5',
    })
  })

  it('ask for more failures in a row where some usually fail', () => {
    const { calls } = asked({}, { total: 1000, errors: 300, timeouts: 0 })
    const [[row] = []] = (calls.streak ?? []) as number[][]
    expect(row).to.be.greaterThan(5)
  })

  it('hold the first content where it is judged', () => {
    expect(asked({ firstContentP95Ms: 500 }).windows).to.deep.include({
      firstContent: {
        slow: 'firstContent 7000 0 7000',
        fast: 'firstContent 10000 20 300000',
        recent: 'firstContent 10000 5 9000',
      },
    })
  })
})
