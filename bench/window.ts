import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from '../src/core/clock.js'
import type { Outcome } from '../src/execution/outcome.js'
import { createJudgedWindow } from '../src/metrics/windows/judged-window.js'
import { createPublicWindows } from '../src/metrics/windows/public-windows.js'
import { EXECUTION_MODES } from '../src/protocol/modes.js'
import { median, type Row, row } from './statistics.js'

/** A record and a read with a hundred and with a million executions in the five minutes: the same, whatever is held. */
const FEW = 100
const MANY = 1_000_000
const WINDOW_SECONDS = 300
const RUNS = 7
const RECORDS = 200_000
const READS = 20_000
const ORGS = 10_000

interface Operation {
  readonly what: string
  /** how many are done in a run */
  readonly times: number
  /** for the executions held; each call is one of them */
  readonly prepare: (held: number) => () => void
}

export function benchWindow(report: (text: string) => void): Promise<Row[]> {
  const rows = [memoryRow(report), ...OPERATIONS.map((operation) => costRow(operation, report))]
  return Promise.resolve(rows)
}

/** Time stands still but for what the bench lets pass. */
function benchClock(): Clock & { now: number } {
  return {
    now: 0,
    monotonic() {
      return this.now
    },
    wall: () => 0,
    schedule: () => ({ cancel: () => {} }),
  }
}

/** Executions of ten busy orgs, drawn before the measurement. */
const OUTCOMES: readonly Outcome[] = Array.from({ length: 1 << 14 }, (_, at) => ({
  mode: 'runtime_orchestrator',
  orgId: `org-${(at * 7) % 10}`,
  agentId: 'assistant',
  startedAt: 0,
  latencyMs: Math.exp(6 + 5 * Math.random()),
  firstContentMs: Math.exp(4 + 4 * Math.random()),
  ...(at % 10 === 0 ? { result: 'error', code: 'runtime_error', phase: 'streaming' } : { result: 'ok' }),
}))
const [FIRST] = OUTCOMES

/** So many executions spread over the window, each making way for the next: what leaves is part of the cost. */
function filled<T>(held: number, make: (clock: Clock) => T, record: (window: T, outcome: Outcome) => void) {
  const clock = benchClock()
  const window = make(clock)
  let at = 0
  const step = (): void => {
    const outcome = OUTCOMES[at++ & (OUTCOMES.length - 1)] ?? FIRST
    clock.now += (WINDOW_SECONDS * 1000) / held
    if (outcome !== undefined) record(window, outcome)
  }
  for (let left = Math.max(held, RECORDS); left > 0; left--) step()
  return { window, step }
}

const publicWindows = (held: number) =>
  filled(
    held,
    (clock) => createPublicWindows(clock, { windowSeconds: WINDOW_SECONDS }),
    (windows, outcome) => windows.record(outcome),
  )
const judgedWindow = (held: number) =>
  filled(held, createJudgedWindow, (window, outcome) => window.record(outcome))

const OPERATIONS: readonly Operation[] = [
  {
    what: 'public windows, record',
    times: RECORDS,
    prepare: (held) => publicWindows(held).step,
  },
  {
    what: 'public windows, read a mode',
    times: READS,
    prepare: (held) => {
      const { window } = publicWindows(held)
      return () => window.overall('runtime_orchestrator')
    },
  },
  {
    what: 'judged window, record',
    times: RECORDS,
    prepare: (held) => judgedWindow(held).step,
  },
  {
    what: 'judged window, read',
    times: READS,
    prepare: (held) => {
      const { window } = judgedWindow(held)
      return () => window.tally(WINDOW_SECONDS * 1000)
    },
  },
]

function costRow({ what, times, prepare }: Operation, report: (text: string) => void): Row {
  const few = prepare(FEW)
  const many = prepare(MANY)
  const costs = { few: [] as number[], many: [] as number[] }
  for (let run = 0; run <= RUNS; run++) {
    const nanosFew = nanos(few, times)
    const nanosMany = nanos(many, times)
    if (run === 0) continue // warm-up
    costs.few.push(nanosFew)
    costs.many.push(nanosMany)
    report(
      `${what}, run ${run}/${RUNS}: ${nanosFew.toFixed(0)} ns of ${FEW}, ${nanosMany.toFixed(0)} ns of ${MANY}`,
    )
  }
  return row(`${what} (floor: 10² held; ours: 10⁶)`, 'ns', median(costs.few), median(costs.many), 1.5)
}

function nanos(operation: () => void, times: number): number {
  const startedAt = performance.now()
  for (let left = times; left > 0; left--) operation()
  return ((performance.now() - startedAt) * 1_000_000) / times
}

/** 10,000 orgs with a hundred executions in each mode, beside the 150 MB they may take. */
function memoryRow(report: (text: string) => void): Row {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const held = (): number => {
    for (let round = 0; round < 3; round++) collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const clock = benchClock()
  const before = held()
  const windows = createPublicWindows(clock, { windowSeconds: WINDOW_SECONDS })
  for (let at = 0; at < FEW; at++) {
    clock.now += (WINDOW_SECONDS * 1000) / (FEW + 1)
    for (let org = 0; org < ORGS; org++) {
      for (const mode of EXECUTION_MODES) {
        const outcome = OUTCOMES[(org * 31 + at) & (OUTCOMES.length - 1)] ?? FIRST
        if (outcome !== undefined) windows.record({ ...outcome, mode, orgId: `org-${org}` })
      }
    }
  }
  const megabytes = (held() - before) / 1_000_000
  const total = windows.overall('direct_llm').total
  report(
    `windows of ${ORGS} orgs × 2 modes × ${total / ORGS}: ${megabytes.toFixed(1)} MB, ${windows.droppedOrgs} dropped`,
  )
  return row(
    'windows of 10,000 orgs × 2 modes × 100 executions (floor: what they may take)',
    'MB',
    150,
    megabytes,
    1,
  )
}
