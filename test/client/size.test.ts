import { spawnSync } from 'node:child_process'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { bundled, CLIENT } from '../support/client-bundle.js'

const KIB = 1024
const sizeOf = (code: string): number => gzipSync(code, { level: 9 }).length

describe('the client as a front end gets it', function () {
  this.timeout(60_000)

  it('is at most 4 KiB, minified and gzipped, and brings nothing along', async () => {
    const code = await bundled(CLIENT)
    expect(sizeOf(code)).to.be.within(1, 4 * KIB)
    expect(code).not.to.match(/\bzod\b|\brequire\(|\bfrom\s*"/)
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
