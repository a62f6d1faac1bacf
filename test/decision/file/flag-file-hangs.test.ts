import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { FlagFile, LOOK_MS } from '../../../src/decision/file/flag-file.js'
import type { Flags } from '../../../src/decision/flags.js'
import { createFlags } from '../../../src/decision/open-feature-flags.js'
import type { FlagFileContent } from '../../../src/decision/read-flag-file.js'
import { readFlagFile } from '../../../src/decision/read-flag-file.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import {
  CODE_DEFAULTS,
  callerOf,
  flagsConfig,
  opsDocument,
  overrideDocument,
} from '../../support/flag-files.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'

/** A file system that hangs while it is told to: reads of the operators' file do not end before `mend`. */
function hangingReads(hangs: (path: string) => boolean) {
  let waiting: (() => void)[] = []
  let isHung = false
  let most = 0
  return {
    hang: () => {
      isHung = true
    },
    mend: () => {
      isHung = false
      for (const goOn of waiting.splice(0)) goOn()
    },
    get waiting() {
      return waiting.length
    },
    get most() {
      return most
    },
    read: async (path: string): Promise<FlagFileContent> => {
      if (isHung && hangs(path)) {
        await new Promise<void>((resolve) => {
          waiting = [...waiting, resolve]
          most = Math.max(most, waiting.length)
        })
      }
      return readFlagFile(path)
    },
  }
}

/** Lets time pass in steps of 10 ms, the file system in between, until it holds. @returns the ms that passed */
async function passUntil(what: string, clock: ManualClock, holds: () => boolean): Promise<number> {
  const from = clock.monotonic()
  await until(what, () => {
    if (!holds()) clock.advance(10)
    return holds()
  })
  return clock.monotonic() - from
}

describe('a flag file whose file system hangs', () => {
  const directory = temporaryDirectory()
  const opsFile = () => directory.path('chat.flagd.json')
  const overrideFile = () => directory.path('auto-fallback.flagd.json')

  function build() {
    writeFileSync(opsFile(), opsDocument({ mode: 'direct_llm' }))
    writeFileSync(overrideFile(), overrideDocument('off'))
    const disk = hangingReads((path) => path === opsFile())
    const { logger, lines } = capturingLogger()
    const clock = manualClock()
    const flags = createFlags(flagsConfig(opsFile(), overrideFile()), CODE_DEFAULTS, {
      clock,
      logger,
      readFlagFile: disk.read,
    })
    return { disk, lines, flags, clock }
  }

  const mode = async (flags: Flags) => (await flags.forTurn(callerOf(1))).mode.value

  it('is told in the status and the log, read once at a time, and taken up when the read returns', async () => {
    const { disk, lines, flags, clock } = build()
    await flags.start()
    disk.hang()
    writeFileSync(opsFile(), opsDocument({ mode: 'runtime_orchestrator' }))
    await passUntil('a read that hangs', clock, () => disk.waiting === 1)
    clock.advance(LOOK_MS / 2)
    expect(flags.status().faults).to.deep.equal([])
    await passUntil('the fault', clock, () => flags.status().faults.length > 0)
    expect(flags.status()).to.deep.include({ state: 'stale' })
    expect(flags.status().faults[0]).to.include({ where: opsFile() })
    expect(flags.status().faults[0]?.message).to.match(/^it was not read within 1000 ms/)
    expect(lines.filter(({ level, msg }) => level === 40 && String(msg).includes('not read'))).to.have.length(
      1,
    )
    expect(await mode(flags)).to.equal('direct_llm')
    // Many polls: the next look waits for this one.
    for (let poll = 0; poll < 10; poll += 1) {
      clock.advance(1000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(disk.most).to.equal(1)
    disk.mend()
    await passUntil('the edit', clock, () => flags.status().state === 'ready')
    expect(await mode(flags)).to.equal('runtime_orchestrator')
    expect(lines.some(({ msg }) => String(msg).includes('mended: it was not read'))).to.equal(true)
    await flags.close()
  })

  it('is closed all the same, in half a second', async () => {
    const { disk, flags, clock } = build()
    await flags.start()
    disk.hang()
    writeFileSync(opsFile(), opsDocument({ mode: 'runtime_orchestrator' }))
    await passUntil('a read that hangs', clock, () => disk.waiting === 1)
    let isClosed = false
    const closed = flags.close().then(() => {
      isClosed = true
    })
    expect(await passUntil('the end', clock, () => isClosed)).to.be.within(490, 600)
    await closed
    disk.mend()
  })

  it('does not hold up the start', async () => {
    const { disk, flags, clock } = build()
    disk.hang()
    let isStarted = false
    const started = flags.start().then(() => {
      isStarted = true
    })
    expect(await passUntil('the start', clock, () => isStarted)).to.be.at.most(LOOK_MS)
    await started
    await passUntil('the fault', clock, () => flags.status().faults.length > 0)
    expect(await mode(flags)).to.equal('direct_llm')
    disk.mend()
    await passUntil('the mending', clock, () => flags.status().state === 'ready')
    await flags.close()
  })
})

describe('a flag file whose listener throws', () => {
  const directory = temporaryDirectory()

  it('is told as a fault of ours, looked at further, and taken over once the listener is well', async () => {
    const path = directory.path('flags.json')
    writeFileSync(path, 'one')
    const taken: string[] = []
    const told: (string | undefined)[] = []
    let isBroken = false
    const clock = manualClock()
    const file = new FlagFile({
      path,
      clock,
      onContent(content) {
        if (isBroken) throw new Error('listener broke')
        taken.push(content.kind === 'text' ? content.text : content.kind)
        return 'taken'
      },
      onTrouble: (trouble) => told.push(trouble?.kind),
    })
    await file.start()
    isBroken = true
    writeFileSync(path, 'two')
    await passUntil('the trouble', clock, () => told.includes('listener'))
    isBroken = false
    await passUntil('the content', clock, () => taken.at(-1) === 'two')
    await passUntil('the end of the trouble', clock, () => told.at(-1) === undefined)
    expect(taken).to.deep.equal(['one', 'two'])
    expect(told).to.deep.equal(['listener', undefined])
    await file.close()
  })
})
