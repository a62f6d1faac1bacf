import { readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DRILL } from './guardrails.js'
import { saveInPieces, saveText } from './human.js'
import type { Row } from './row.js'
import { isRefusedEdit } from './scene-waits.js'
import type { Stage } from './stage.js'
import { waitFor } from './wait-for.js'

/** What can be wrong with the flag files. */

const STAGE = { replicas: 2, perSecond: 50, guardrails: DRILL } as const
const SICK_MS = 1500
/** longer than a reader needs to see a file */
const SEEN_MS = 500

/** Both contents of the override's file that are meant to be broken. */
function spoil(stage: Stage, text: string): void {
  stage.watch.expect(text)
  saveText(stage.parts.overrideFile, text)
}

/** Of the override: the runtime dies while nobody can read the file. It is replaced after 2 s, with a copy kept aside. */
const spoilt = (name: string, content: (text: string) => string): Row => ({
  name: `override ${name} while the runtime dies`,
  stage: STAGE,
  async drill(stage) {
    spoil(stage, content(readFileSync(stage.parts.overrideFile, 'utf8')))
    const since = stage.runtime.kill()
    const { at } = await stage.fileIs('fallback', since)
    await sleep(SICK_MS)
    await stage.runtime.restart()
    return [`mended, and the override in it, after ${Math.round(at - since)} ms`]
  },
})

/** What editors and people leave behind who want the fallback on: none of it is what flagd reads. */
const REFUSED_EDITS: readonly ((text: string) => string)[] = [
  (text) => text.replace(/\}\s*$/, ',}'),
  (text) => `\ufeff${text}`,
  (text) => `// maintenance\n${text}`,
  (text) => text.replace('"on": true', '"on": "true"'),
]
/** longer than an unreadable file is left alone */
const PAUSE_MS = 3500

/** A person's wish that did not come into force: history, alert and log tell of it, and its copy is where they say. */
const refused: Row = {
  name: 'override edited by hand so that it is refused: trailing comma, BOM, //, "true", a writer that pauses 3.5 s',
  stage: STAGE,
  async drill(stage) {
    const { overrideFile } = stage.parts
    const wanted = () =>
      readFileSync(overrideFile, 'utf8').replace('"defaultVariant": "off"', '"defaultVariant": "on"')
    let edits = 0
    for (const edited of REFUSED_EDITS) {
      const text = edited(wanted())
      spoil(stage, text)
      edits += 1
      await toldOf(stage, edits, text)
    }
    const text = wanted()
    const half = text.slice(0, text.length / 2)
    stage.watch.expect(half)
    stage.watch.expect('')
    await saveInPieces(overrideFile, text, PAUSE_MS)
    await toldOf(stage, edits + 1, text)
    return [`${edits + 1} edits refused, each told, its copy named and kept`]
  },
}

async function toldOf(stage: Stage, edits: number, text: string): Promise<void> {
  const { replicas, parts } = stage
  await waitFor(`refused edit ${edits} to be told`, async () => {
    const history = (await replicas[0]?.operator.history()) ?? []
    const told = history.filter(({ kind }) => kind === 'hand_edit_refused')
    const aside = /kept as (\S+)$/.exec(told[0]?.reason ?? '')?.[1]
    if (told.length !== edits || aside === undefined) return `${told.length} in the history`
    if (readFileSync(join(dirname(parts.overrideFile), aside), 'utf8') !== text)
      return `${aside} is another text`
    const alerts = await Promise.all(replicas.map(({ operator }) => operator.status()))
    const silent = alerts.filter((status) => !status.alerts.some(isRefusedEdit))
    return silent.map(({ replica }) => `no alert on ${replica}`).join('; ')
  })
}

const deleted: Row = {
  name: 'override deleted while the runtime dies',
  stage: STAGE,
  async drill(stage) {
    stage.watch.expect(undefined)
    rmSync(stage.parts.overrideFile)
    const since = stage.runtime.kill()
    const { at } = await stage.fileIs('fallback', since)
    await sleep(SICK_MS)
    await stage.runtime.restart()
    return [`there again, with the override in it, after ${Math.round(at - since)} ms`]
  },
}

/** Of the operators: last good flags stay, until the person saves a good one. */
const opsSpoilt: Row = {
  name: "operators' file half saved, empty, invalid, in turn, while the runtime dies",
  stage: STAGE,
  async drill(stage) {
    const good = stage.human.text
    await stage.human.saveSlowly(good, SEEN_MS)
    stage.human.save('')
    const since = stage.runtime.kill()
    await sleep(SEEN_MS)
    stage.human.save(good.slice(0, -20))
    await stage.fileIs('fallback', since)
    stage.human.save(good.replace('"runtime_orchestrator": "runtime_orchestrator"', '"x": 1'), true)
    await sleep(SICK_MS)
    await stage.runtime.restart()
    stage.human.save(good)
    stage.human.remark()
    return []
  },
}

/** A replica that starts finds the file broken: it goes by what was good last, and is ready only then. */
const rolled: Row = {
  name: "operators' file broken, then a rolling restart",
  stage: STAGE,
  async drill(stage) {
    const good = stage.human.text
    stage.human.save(good.slice(0, -20))
    await sleep(SEEN_MS)
    const since = performance.now()
    for (const { name } of stage.replicas) await stage.rollReplica(name, { CHAT_READY_WAIT_MS: '1000' })
    await sleep(SICK_MS)
    const decided = stage.traffic.ended.filter(({ startedAt }) => startedAt >= since)
    const by = (reason: string) => decided.filter((turn) => turn.reason === reason).length
    stage.human.save(good)
    if (by('code_default') > 0 || by('stale') === 0)
      throw new Error(`${by('stale')} by the last good flags, ${by('code_default')} by the code default`)
    return [
      `${by('stale')} of ${decided.length} new sessions by the last good flags, none by the code default`,
    ]
  },
}

/** It acts in memory and says so; what it decided is written as soon as it can be. */
const unwritable = (
  name: string,
  begin: (disk: { fill(): void; readOnly(is: boolean): void }) => void,
  end: (disk: { makeRoom(): void; readOnly(is: boolean): void }) => void,
): Row => ({
  name,
  stage: STAGE,
  onTmpfs: true,
  async drill(stage, disk) {
    if (disk === undefined) throw new Error('no file system of its own')
    begin(disk)
    const since = stage.runtime.kill()
    const tookMs = await waitFor('both replicas to act in memory', () => inMemory(stage))
    await sleep(SICK_MS)
    if (stage.watch.first(since, () => true) !== undefined) throw new Error('the file was written')
    end(disk)
    await stage.runtime.restart()
    await stage.fileSays('anything new', since, () => true)
    stage.human.remark()
    return [`in memory and told after ${Math.round(tookMs)} ms`]
  },
})

async function inMemory({ replicas }: Stage): Promise<string> {
  const said = await Promise.all(replicas.map(({ operator }) => operator.status()))
  return said
    .filter(
      ({ fallback, alerts }) => fallback.state !== 'fallback' || fallback.persisted || alerts.length === 0,
    )
    .map(({ replica, fallback, alerts }) => `${replica}: ${JSON.stringify({ fallback, alerts })}`)
    .join('; ')
}

export const FILE_ROWS: readonly Row[] = [
  spoilt('torn (half of it)', (text) => text.slice(0, text.length / 2)),
  spoilt('empty', () => ''),
  spoilt('invalid JSON of another kind', () => '{"flags": []}'),
  refused,
  deleted,
  opsSpoilt,
  rolled,
  unwritable(
    'flag files read-only while the runtime dies',
    (disk) => disk.readOnly(true),
    (disk) => disk.readOnly(false),
  ),
  unwritable(
    'disk full while the runtime dies',
    (disk) => disk.fill(),
    (disk) => disk.makeRoom(),
  ),
]
