import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RunningProcess, startProcess } from '../support/processes.js'
import { DRILL } from './guardrails.js'
import { saveText } from './human.js'
import type { Row } from './row.js'
import type { Stage } from './stage.js'
import { waitFor } from './wait-for.js'

/** Eight processes write the override as fast as they can, beside three replicas and a person. */

const WRITERS = 8
const WRITES = 15
const NO_END = 1_000_000
/** ms between two edits of the person */
const EDIT_MS = 150
const RACE_MS = 1500
/** an editor takes no lock: one that saves in the very moment of a rename has to save again */
const MOST_SAVES = 5

const race: Row = {
  name: '8 writing processes and a person, while the runtime dies',
  stage: { replicas: 3, perSecond: 50, guardrails: DRILL },
  async drill(stage) {
    const writers = await startWriters(stage, WRITES)
    const since = stage.runtime.kill()
    await busy(stage, Promise.all(writers.map(({ ended }) => ended)))
    const { at } = await stage.fileIs('fallback', since)
    await stage.runtime.restart()
    const counted = countsOf(writers)
    expectAll(stage, counted.written)
    const saves = await handEdit(stage)
    return [
      `override in the midst of it after ${Math.round(at - since)} ms`,
      `${counted.written} writes of theirs kept, ${counted.conflicts} lost races tried again`,
      `hand edit under fire taken over (saved ${saves} ×)`,
    ]
  },
}

/** In the midst of the race somebody switches the fallback on by hand, and later puts the template back. */
async function handEdit(stage: Stage): Promise<number> {
  const writers = await startWriters(stage, NO_END)
  let saves = 0
  await sleep(EDIT_MS)
  try {
    await waitFor('the hand edit to be taken over', async () => {
      const { manual } = await stage.replica('b').operator.status()
      if (manual.scope === 'all') return ''
      if (saves >= MOST_SAVES) return `saved ${saves} times`
      saves += 1
      switchOn(stage)
      await sleep(RACE_MS)
      return 'saved just now'
    })
  } finally {
    await Promise.all(writers.map((writer) => writer.end()))
  }
  const template = readFileSync('flags/auto-fallback.flagd.json', 'utf8')
  stage.watch.expect(template)
  saveText(stage.parts.overrideFile, template, true)
  return saves
}

function switchOn(stage: Stage): void {
  const text = readFileSync(stage.parts.overrideFile, 'utf8')
  const document: { flags: Record<string, { defaultVariant: string; targeting?: unknown }> } =
    JSON.parse(text)
  const flag = document.flags['chat-runtime-fallback']
  if (flag === undefined) throw new Error('no flag to be edited')
  flag.defaultVariant = 'on'
  delete flag.targeting
  const on = JSON.stringify(document, null, 2)
  stage.watch.expect(on)
  saveText(stage.parts.overrideFile, on, true)
}

function startWriters({ parts }: Stage, writes: number): Promise<RunningProcess[]> {
  return Promise.all(
    Array.from({ length: WRITERS }, (_, n) =>
      startProcess(['test/chaos/writer-process.mjs', parts.overrideFile, `w${n}`, String(writes)]),
    ),
  )
}

/** The person saves the operators' file again and again until the others are done. */
async function busy({ human }: Stage, done: Promise<unknown>): Promise<void> {
  let isDone = false
  void done.then(() => {
    isDone = true
  })
  while (!isDone) {
    human.remark()
    await sleep(EDIT_MS)
  }
}

function countsOf(writers: readonly RunningProcess[]): { written: number; conflicts: number } {
  const lines = writers.map(({ log }) => log.find(({ msg }) => msg === 'counts'))
  const sum = (name: string) => lines.reduce((total, line) => total + Number(line?.[name] ?? Number.NaN), 0)
  return { written: sum('written'), conflicts: sum('conflicts') }
}

function expectAll({ watch }: Stage, written: number): void {
  watch.look()
  const manual = watch.last?.manual
  const names = manual?.scope === 'orgs' && manual.target.kind === 'orgs' ? manual.target.orgIds.length : 0
  if (names !== written || written !== WRITERS * WRITES)
    throw new Error(`${written} of ${WRITERS * WRITES} writes told, ${names} in the file`)
}

export const RACE_ROWS: readonly Row[] = [race]
