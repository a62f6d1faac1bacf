import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { FlagFile } from '../../../src/decision/file/flag-file.js'
import { manualClock } from '../../support/manual-clock.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

describe('a flag file behind links', () => {
  const directory = temporaryDirectory()

  function point(link: string, target: string): void {
    symlinkSync(target, directory.path(`${link}.new`))
    renameSync(directory.path(`${link}.new`), directory.path(link))
  }

  it('is watched on its new way where a link leads to the same file by another one', async () => {
    for (const name of ['one', 'two']) {
      mkdirSync(directory.path(name))
      point(`${name}/flags`, '../first')
      writeFileSync(directory.path(name === 'one' ? 'first' : 'second'), name)
    }
    point('current', 'one')
    const clock = manualClock()
    const seen: string[] = []
    const now = Date.now
    // As if nothing had been written for a minute.
    Date.now = () => now() + 60_000
    const file = new FlagFile({
      path: directory.path('current/flags'),
      clock,
      onContent: (content) => {
        seen.push(content.kind === 'text' ? content.text : content.kind)
        return 'taken'
      },
      onTrouble: () => undefined,
    })
    // Less than a second in all: no look but those that events ask for.
    const pass = async (rounds: number, isOver: () => boolean = () => false): Promise<void> => {
      for (let round = 0; round < rounds && !isOver(); round += 1) {
        clock.advance(2)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    try {
      await file.start()
      point('current', 'two')
      await pass(20)
      point('two/flags', '../second')
      await pass(400, () => seen.length > 1)
      expect(seen).to.deep.equal(['one', 'two'])
    } finally {
      Date.now = now
      await file.close()
    }
  })
})
