import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { expect } from 'chai'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

/** The package as `npm pack` makes it of what `npm run build` has built. */
describe('the package', function () {
  this.timeout(120_000)

  let packed: Uint8Array<ArrayBuffer>

  before(() => {
    const directory = mkdtempSync(join(tmpdir(), 'chat-cutover-'))
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory]
    const answer: unknown = JSON.parse(execFileSync('npm', args, { encoding: 'utf8' }))
    const name = Array.isArray(answer) ? String(answer[0]?.filename) : ''
    packed = new Uint8Array(readFileSync(join(directory, name)))
    rmSync(directory, { recursive: true, force: true })
  })

  it('is clean by publint', async () => {
    const { messages, pkg } = await publint({
      pack: { tarball: packed.buffer },
      strict: true,
      level: 'suggestion',
    })
    expect(messages.map((message) => formatMessage(message, pkg))).to.deep.equal([])
  })

  it('has types that are those of its code, for whoever imports it as an ES module', async () => {
    const analysis = await checkPackage(createPackageFromTarballData(packed), {
      entrypoints: ['./client', './react', './protocol/events', './protocol/api'],
    })
    if (!analysis.types) throw new Error('the package has no types')
    expect(Object.keys(analysis.entrypoints)).to.include.members(['./client', './react'])
    // Those who know no `exports` of a package, or only `require`: it is for ES modules alone.
    const others = new Set(['node10', 'node16-cjs'])
    const problems = analysis.problems.filter(
      (problem) => !('resolutionKind' in problem) || !others.has(problem.resolutionKind),
    )
    expect(problems).to.deep.equal([])
  })
})
