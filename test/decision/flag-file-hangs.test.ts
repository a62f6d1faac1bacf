import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { FlagFile } from '../../src/decision/flag-file.js'
import type { Flags } from '../../src/decision/flags.js'
import { createFlags } from '../../src/decision/open-feature-flags.js'
import type { FlagFileContent } from '../../src/decision/read-flag-file.js'
import { readFlagFile } from '../../src/decision/read-flag-file.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { CODE_DEFAULTS, callerOf, flagsConfig, opsDocument, overrideDocument } from '../support/flag-files.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { until } from '../support/until.js'

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

describe('a flag file whose file system hangs', () => {
  const directory = temporaryDirectory()
  const opsFile = () => directory.path('chat.flagd.json')
  const overrideFile = () => directory.path('auto-fallback.flagd.json')

  function build() {
    writeFileSync(opsFile(), opsDocument({ mode: 'direct_llm' }))
    writeFileSync(overrideFile(), overrideDocument('off'))
    const disk = hangingReads((path) => path === opsFile())
    const { logger, lines } = capturingLogger()
    const flags = createFlags(flagsConfig(opsFile(), overrideFile()), CODE_DEFAULTS, {
      clock: systemClock,
      logger,
      readFlagFile: disk.read,
    })
    return { disk, lines, flags }
  }

  const mode = async (flags: Flags) => (await flags.forTurn(callerOf(1))).mode.value

  it('is told in the status and the log, read once at a time, and taken up when the read returns', async function () {
    this.timeout(15_000)
    const { disk, lines, flags } = build()
    await flags.start()
    disk.hang()
    writeFileSync(opsFile(), opsDocument({ mode: 'runtime_orchestrator' }))
    await until('the fault', () => flags.status().faults.length > 0, 5000)
    expect(flags.status()).to.deep.include({ state: 'stale' })
    expect(flags.status().faults[0]).to.include({ where: opsFile() })
    expect(flags.status().faults[0]?.message).to.match(/^it was not read within 1000 ms/)
    expect(lines.filter(({ level, msg }) => level === 40 && String(msg).includes('not read'))).to.have.length(
      1,
    )
    expect(await mode(flags)).to.equal('direct_llm')
    // Longer than a poll: the next look waits for this one.
    await new Promise((resolve) => setTimeout(resolve, 1200))
    expect(disk.most).to.equal(1)
    disk.mend()
    await until('the edit', () => flags.status().state === 'ready', 3000)
    expect(await mode(flags)).to.equal('runtime_orchestrator')
    expect(lines.some(({ msg }) => String(msg).includes('mended: it was not read'))).to.equal(true)
    await flags.close()
  })

  it('is closed all the same, in half a second', async () => {
    const { disk, flags } = build()
    await flags.start()
    disk.hang()
    writeFileSync(opsFile(), opsDocument({ mode: 'runtime_orchestrator' }))
    await until('a read that hangs', () => disk.waiting === 1, 3000)
    const startedAt = performance.now()
    await flags.close()
    expect(performance.now() - startedAt).to.be.below(1000)
    disk.mend()
  })

  it('does not hold up the start', async () => {
    const { disk, flags } = build()
    disk.hang()
    const startedAt = performance.now()
    await flags.start()
    expect(performance.now() - startedAt).to.be.below(1500)
    await until('the fault', () => flags.status().faults.length > 0, 3000)
    expect(await mode(flags)).to.equal('direct_llm')
    disk.mend()
    await until('the mending', () => flags.status().state === 'ready', 3000)
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
    const file = new FlagFile({
      path,
      clock: systemClock,
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
    await until('the trouble', () => told.includes('listener'))
    isBroken = false
    await until('the content', () => taken.at(-1) === 'two')
    await until('the end of the trouble', () => told.at(-1) === undefined)
    expect(taken).to.deep.equal(['one', 'two'])
    expect(told).to.deep.equal(['listener', undefined])
    await file.close()
  })
})
