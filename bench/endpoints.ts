import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Faults } from '../src/simulator/faults.js'
import { startLlmSimulator } from '../src/simulator/llm.js'
import { startRuntimeSimulator } from '../src/simulator/runtime.js'
import type { Simulator } from '../src/simulator/simulator-server.js'
import { createConnections } from './client.js'
import type { MeasuredProcess } from './measured-process.js'
import { startOurs } from './ours.js'
import { quantile, type Row } from './statistics.js'
import { seeTurn, type TurnSeen, turnsAtPace } from './turns.js'

const PER_SECOND = 100
const TURNS = 1000
/** while everything is well: code is compiled and connections stand */
const WARM_TURNS = 500
/** of the LLM that is buried: answers at a time, and what each takes */
const PLACES = 20
const ANSWER_MS = 500
const BURIED_TURNS = 2000
/** deadline for the head of an answer, as the guardrails have it */
const HEADERS_MS = 123_000

type Ours = MeasuredProcess & { readonly bearer: string }
type Report = (text: string) => void

/** The direct LLM over its endpoints: what users see when endpoints fail or are full, and what reaches the endpoints. */
export async function benchEndpoints(report: Report): Promise<Row[]> {
  return [
    ...(await deadPrimary(report)),
    ...(await allDead(report)),
    ...(await buried(report)),
    ...(await unlimited(report)),
  ]
}

async function deadPrimary(report: Report): Promise<Row[]> {
  const reserve = await startLlmSimulator()
  const primary = await startLlmSimulator()
  const rows: Row[] = []
  try {
    const alone = await withService([reserve], {}, async (ours) => {
      await run(ours, WARM_TURNS)
      return run(ours, TURNS)
    })
    report(`endpoints: the reserve alone: ${summary(alone)}`)
    const ways: readonly [string, Faults][] = [
      ['refuses connections', { refuse: true }],
      ['answers 503', { status: 503 }],
    ]
    for (const [what, faults] of ways) {
      primary.faults = {}
      const seen = await withService([primary, reserve], {}, async (ours) => {
        await run(ours, WARM_TURNS)
        primary.faults = faults
        return run(ours, TURNS)
      })
      report(`endpoints: the primary ${what}: ${summary(seen)}`)
      rows.push(
        count(`turns of ${TURNS} that failed, the primary ${what}`, TURNS, failed(seen).length, 0),
        ...[0.5, 0.99, 1].map((p) =>
          measured(
            `first content p${p * 100}, the primary ${what} (floor: the reserve alone)`,
            quantile(firstContents(alone), p),
            quantile(firstContents(seen), p),
          ),
        ),
      )
    }
  } finally {
    await Promise.all([primary.close(), reserve.close()])
  }
  return rows
}

async function allDead(report: Report): Promise<Row[]> {
  const llms = [await startLlmSimulator(), await startLlmSimulator()]
  for (const llm of llms) llm.faults = { status: 503 }
  try {
    const seconds = (2 * TURNS) / PER_SECOND
    const seen = await withService(llms, {}, (ours) => run(ours, 2 * TURNS))
    const sent = llms.reduce((sum, llm) => sum + llm.requests.length, 0)
    report(`endpoints: all answer 503, ${seconds} s: ${summary(seen)}; ${sent} requests`)
    // For each: the few until it rests, then 10 tries in 10 s.
    const most = llms.length * (10 + 10 * (seconds / 10 + 1))
    return [
      count(`requests to ${llms.length} dead endpoints for ${seen.length} turns`, seen.length, sent, most),
      count('turns without an honest error, all endpoints dead', seen.length, notTold(seen).length, 0),
    ]
  } finally {
    await Promise.all(llms.map((llm) => llm.close()))
  }
}

async function buried(report: Report): Promise<Row[]> {
  const llm = await startLlmSimulator()
  const runtime = await startRuntimeSimulator()
  llm.faults = { maxAnswers: { answers: PLACES }, firstContentDelayMs: ANSWER_MS }
  try {
    return await withService([llm], { RUNTIME_SERVICE_URL: runtime.url }, async (ours) => {
      await run(ours, 50)
      runtime.faults = { refuse: true }
      await untilFallback(ours)
      const seen = await run(ours, BURIED_TURNS)
      const refused = seen.filter(({ status }) => status === 503)
      const done = seen.filter(({ end }) => end === 'done')
      const seconds = BURIED_TURNS / PER_SECOND
      const waited = Math.max(...seen.map(({ endedMs }) => endedMs))
      const told = refused.filter(({ retryAfter = 0 }) => retryAfter >= 1)
      report(
        `endpoints: buried: ${summary(seen)}; longest turn ${(waited / 1000).toFixed(1)} s; ` +
          `Retry-After ${Math.min(...told.map(({ retryAfter = 0 }) => retryAfter))} to ` +
          `${Math.max(...told.map(({ retryAfter = 0 }) => retryAfter))} s`,
      )
      return [
        count('turns refused without Retry-After', refused.length, refused.length - told.length, 0),
        count(
          'turns neither answered nor refused with 503',
          seen.length,
          seen.length - done.length - refused.length,
          0,
        ),
        {
          ...measured('longest turn (floor: the deadline)', HEADERS_MS, waited),
          target: '≤ 1 ×',
          met: waited <= HEADERS_MS,
        },
        goodput(done, seconds),
      ]
    })
  } finally {
    await Promise.all([llm.close(), runtime.close()])
  }
}

/** The same LLM where nobody said how many requests it takes: what it refuses with 429 is an error of the user. */
async function unlimited(report: Report): Promise<Row[]> {
  const llm = await startLlmSimulator()
  llm.faults = { maxAnswers: { answers: PLACES }, firstContentDelayMs: ANSWER_MS }
  try {
    const seen = await withService([llm], {}, (ours) => run(ours, TURNS))
    report(`endpoints: full without maxConcurrent: ${summary(seen)}`)
    const done = seen.filter(({ end }) => end === 'done')
    const row = goodput(done, TURNS / PER_SECOND)
    return [{ ...row, what: `${row.what}, without maxConcurrent`, target: '', met: true }]
  } finally {
    await llm.close()
  }
}

function goodput(done: readonly TurnSeen[], seconds: number): Row {
  const ends = done.map(({ endedAt }) => endedAt)
  const took = (Math.max(...ends) - Math.min(...ends)) / 1000
  const can = PLACES / (ANSWER_MS / 1000)
  const ours = done.length / Math.max(seconds, took)
  return {
    what: 'answers a second (floor: what the LLM can do)',
    unit: '1/s',
    floor: can,
    ours,
    ratio: ours / can,
    target: '≥ 0.9 ×',
    met: ours / can >= 0.9,
  }
}

/** The service over these endpoints; the first is asked first and has as many places as the LLM that is buried. */
async function withService<T>(
  llms: readonly Simulator[],
  env: Record<string, string>,
  use: (ours: Ours) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-llm-'))
  const file = join(folder, 'llm.json')
  const limit = llms.length === 1 && env.RUNTIME_SERVICE_URL !== undefined ? { maxConcurrent: PLACES } : {}
  const endpoints = llms.map(({ url }, at) => ({
    name: `llm-${at}`,
    baseUrl: `${url}/v1`,
    model: 'm',
    ...limit,
  }))
  writeFileSync(file, JSON.stringify({ endpoints }))
  const mode = env.RUNTIME_SERVICE_URL === undefined ? { CHAT_RUNTIME_ENABLED_ORGS: 'nobody' } : {}
  const ours = await startOurs('', {
    LLM_BASE_URL: '',
    CHAT_LLM_FILE: file,
    RUNTIME_SERVICE_URL: 'http://127.0.0.1:9',
    ...mode,
    ...env,
  })
  try {
    return await use(ours)
  } finally {
    await ours.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function run(ours: Ours, turns: number): Promise<readonly TurnSeen[]> {
  const agent = createConnections()
  const seen = await turnsAtPace(PER_SECOND, turns, () => seeTurn(agent, ours.url, ours.bearer))
  agent.destroy()
  return seen
}

async function untilFallback(ours: Ours): Promise<void> {
  for (let look = 0; look < 600; look++) {
    const response = await fetch(`${ours.url}/api/v1/runtime/fallback/status`, {
      headers: { authorization: ours.bearer },
    })
    if ((await response.text()).includes('"fallbackEnabled":true')) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('no fallback within 30 s')
}

const failed = (seen: readonly TurnSeen[]): readonly TurnSeen[] => seen.filter(({ end }) => end !== 'done')

/** Neither an answer nor an `error` event with a code, nor a refusal. */
const notTold = (seen: readonly TurnSeen[]): readonly TurnSeen[] =>
  seen.filter(({ end, code }) => end === 'broken' || (end === 'error' && code === undefined))

const firstContents = (seen: readonly TurnSeen[]): readonly number[] =>
  seen.flatMap(({ firstContentMs }) => (firstContentMs === undefined ? [] : [firstContentMs]))

function summary(seen: readonly TurnSeen[]): string {
  const ends = new Map<string, number>()
  for (const { end, status, code } of seen) {
    const what = [
      end,
      ...(end === 'refused' ? [String(status)] : []),
      ...(code === undefined ? [] : [code]),
    ].join(' ')
    ends.set(what, (ends.get(what) ?? 0) + 1)
  }
  return [...ends].map(([what, count]) => `${count} ${what}`).join(', ')
}

function count(what: string, of: number, ours: number, most: number): Row {
  return { what, unit: '', floor: of, ours, ratio: ours / of, target: `≤ ${most}`, met: ours <= most }
}

function measured(what: string, floor: number, ours: number): Row {
  return { what, unit: 'ms', floor, ours, ratio: ours / floor, target: '', met: true }
}
