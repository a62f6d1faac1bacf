import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { hashOf } from '../../../src/store/content.js'
import { createFileFlagStore } from '../../../src/store/file/file-flag-store.js'
import { STORE_STEPS, type StoreStep } from '../../../src/store/file/steps.js'
import { saveByRename } from '../../support/flag-files.js'
import { type Forked, forked, killForked } from '../../support/forked.js'
import { SOON_MS } from '../../support/until.js'
import type { Task, Written } from './writer-process.js'

const OVERRIDE = 'auto-fallback.flagd.json'
const WRITERS = 8
const WRITES_EACH = 50

/** Reads the file again and again, as a daemon may at any moment; what it saw that was not whole. */
function watcher(path: string): { stop(): Promise<readonly string[]> } {
  const torn: string[] = []
  let isOver = false
  const look = async (): Promise<void> => {
    while (!isOver) {
      const text = readFileSync(path, 'utf8')
      try {
        if (typeof JSON.parse(text).sum !== 'number') torn.push(text)
      } catch {
        torn.push(text)
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  const looking = look()
  return {
    async stop() {
      isOver = true
      await looking
      return torn
    },
  }
}

/** Saves as an editor does, without a lock, every now and then; the hashes of what it put there. */
function person(path: string): { stop(): Promise<ReadonlySet<string>> } {
  const saved = new Set<string>()
  let isOver = false
  const edit = async (): Promise<void> => {
    for (let at = 0; !isOver; at += 1) {
      const text = JSON.stringify(
        { ...JSON.parse(readFileSync(path, 'utf8')), note: `by hand ${at}` },
        null,
        2,
      )
      saveByRename(path, text)
      saved.add(hashOf(text))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const editing = edit()
  return {
    async stop() {
      isOver = true
      await editing
      return saved
    },
  }
}

describe('processes that write one file', function () {
  this.timeout(120_000)
  let directory = ''
  let writers: readonly Forked[] = []
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'chat-cutover-'))
    writers = STORE_STEPS.map(() => forked('test/store/file/writer-process.ts', []))
    for (const writer of writers) expect(await writer.message()).to.equal('"ready"')
  })
  after(async () => {
    await killForked()
    rmSync(directory, { recursive: true, force: true })
  })
  const give = (writer: Forked | undefined, task: Task): Promise<string> => {
    if (writer === undefined) throw new Error('no such writer')
    writer.send(JSON.stringify(task))
    return writer.message()
  }
  const together = async (path: string): Promise<Written[]> => {
    const task: Task = { do: 'add', path, count: WRITES_EACH }
    const answers = await Promise.all(writers.slice(0, WRITERS).map((writer) => give(writer, task)))
    return answers.flatMap((answer) => {
      const written: Written[] | { failed: string } = JSON.parse(answer)
      if (!Array.isArray(written)) throw new Error(written.failed)
      return written
    })
  }

  it('lose no update of each other, nor tear the file, while a person saves it in between', async () => {
    const path = join(directory, OVERRIDE)
    writeFileSync(path, '{"sum": 0}')
    const start = hashOf('{"sum": 0}')
    const [reader, human] = [watcher(path), person(path)]
    // They stop in any case: later there is no file for them.
    const written = await together(path).finally(() => Promise.all([human.stop(), reader.stop()]))
    const saved = await human.stop()
    expect(await reader.stop()).to.deep.equal([])
    expect(written).to.have.length(WRITERS * WRITES_EACH)
    // two writes over the same content: one of them would have been lost
    expect(new Set(written.map(({ over }) => over)).size).to.equal(written.length)
    const known = new Set([start, ...saved, ...written.map(({ hash }) => hash)])
    expect(written.filter(({ over }) => !known.has(over))).to.deep.equal([])
    expect(saved.size).to.be.greaterThan(5)
    expect(readdirSync(directory)).to.deep.equal([OVERRIDE])
  })

  it('may be killed at any step of a write: the file is whole, and the next writer succeeds at once', async () => {
    const killed = await Promise.all(
      STORE_STEPS.map(async (step, at) => {
        const folder = mkdtempSync(join(directory, `${step}-`))
        const path = join(folder, OVERRIDE)
        writeFileSync(path, '{"sum": 0}')
        expect(await give(writers[at], { do: 'stop', path, step })).to.equal(JSON.stringify(step))
        await writers[at]?.kill()
        return { step, folder, path }
      }),
    )
    for (const { step, folder, path } of killed) await expectGoesOn(step, folder, path)
  })
})

async function expectGoesOn(step: StoreStep, folder: string, path: string): Promise<void> {
  const { sum } = JSON.parse(readFileSync(path, 'utf8'))
  const isDone = step === 'directory_sync' || step === 'unlock'
  expect(sum, step).to.equal(isDone ? 1 : 0)
  const store = createFileFlagStore(path, { clock: systemClock, nonce: 'next' })
  const since = performance.now()
  const result = await store.write('{"sum": 2}', hashOf(readFileSync(path)))
  expect(result.kind, step).to.equal('written')
  expect(performance.now() - since, step).to.be.lessThan(SOON_MS)
  expect(readdirSync(folder), step).to.include(OVERRIDE)
  expect(readdirSync(folder), step).to.not.include('auto-fallback.lock')
  await store.close()
}
