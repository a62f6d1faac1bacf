import { spawnSync } from 'node:child_process'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { bundled, CLIENT } from '../support/client-bundle.js'

const KIB = 1024
const sizeOf = (code: string): number => gzipSync(code, { level: 9 }).length

describe('the client as a front end gets it', function () {
  this.timeout(60_000)

  it('is at most 4 KiB, minified and gzipped, and brings nothing along', async () => {
    const code = await bundled("export { createChatClient, isRecoverable } from './src/client/index.ts'")
    expect(sizeOf(code)).to.be.within(1, 4 * KIB)
    expect(code).not.to.match(/\bzod\b|\brequire\(|\bfrom\s*"/)
  })

  it('is at most 5 KiB with all there is, and 6 KiB with the hook, of which React is not a part', async () => {
    expect(sizeOf(await bundled(CLIENT))).to.be.within(1, 5 * KIB)
    const entry = "export * from './src/client/index.ts'; export * from './src/react/index.ts'"
    const hook = await bundled(entry, ['react'])
    expect(sizeOf(hook)).to.be.within(1, 6 * KIB)
    expect([...hook.matchAll(/\bfrom\s*"([^"]+)"/g)].map((match) => match[1])).to.deep.equal(['react'])
  })

  it('is left out as far as it is not used', async () => {
    const parser = await bundled("export { SseParser } from './src/client/index.ts'")
    expect(sizeOf(parser)).to.be.lessThan(KIB)
    expect(await bundled("import './src/client/index.ts'")).to.equal('')
  })

  it('needs no types of Node', () => {
    const { stdout, status } = spawnSync(
      process.execPath,
      ['node_modules/typescript/bin/tsc', '-p', 'src/client'],
      { encoding: 'utf8' },
    )
    expect(status, stdout).to.equal(0)
  })
})
