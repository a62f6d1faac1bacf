import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { bundled } from '../support/bundled.js'
import { opsDocument, overrideDocument, saveByRename } from '../support/flag-files.js'
import { startTestFlagd } from '../support/flagd.js'
import { freePort } from '../support/free-port.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { SOON_MS } from '../support/until.js'

/** ms from the close of the flags to the end of the process */
const EXIT_MS = SOON_MS

/** Ms the process takes to end by itself after it closed its flags; rejects when it does not. */
async function msToExit(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [bundled('test/support/flags-process.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  const closedAt = performance.now()
  const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_MS)
  const [code] = await ended
  clearTimeout(timer)
  if (code !== 0) throw new Error(`the process did not end by itself within ${EXIT_MS} ms`)
  return performance.now() - closedAt
}

describe('a process with closed flags', () => {
  const directory = temporaryDirectory()
  const files = () => [directory.path('ops.json'), directory.path('override.json')]

  beforeEach(() => {
    saveByRename(directory.path('ops.json'), opsDocument({ mode: 'direct_llm' }))
    saveByRename(directory.path('override.json'), overrideDocument('off'))
  })

  it('ends by itself by resolver file', async () => {
    expect(await msToExit(['file', '1', ...files(), '0'])).to.be.lessThan(EXIT_MS)
  })

  for (const resolver of ['in-process', 'rpc'] as const) {
    it(`ends by itself by resolver ${resolver} with a living daemon and with a silent one`, async () => {
      const flagd = await startTestFlagd(files())
      try {
        const port = String(resolver === 'rpc' ? flagd.evaluationPort : flagd.syncPort)
        expect(await msToExit([resolver, port, ...files(), '0'])).to.be.lessThan(EXIT_MS)
        flagd.freeze()
        expect(await msToExit([resolver, port, ...files(), '0'])).to.be.lessThan(EXIT_MS)
      } finally {
        flagd.thaw()
        await flagd.close()
      }
    })

    it(`ends by itself by resolver ${resolver} with a dead one, whatever it is waiting for`, async () => {
      const port = String(await freePort())
      const times = await Promise.all(
        ['starting', '0', '300'].map((lingerMs) => msToExit([resolver, port, ...files(), lingerMs])),
      )
      for (const ms of times) expect(ms).to.be.lessThan(EXIT_MS)
    })
  }
})
