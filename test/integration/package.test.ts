import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { expect } from 'chai'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { temporaryDirectory } from '../support/temporary-directory.js'

/** The package as `npm pack` makes it of what `npm run build` has built. */
describe('the package', function () {
  this.timeout(120_000)
  const directory = temporaryDirectory()

  it('is clean by publint', async () => {
    const { messages, pkg } = await publint({ pkgDir: '.', strict: true, level: 'suggestion' })
    expect(messages.map((message) => formatMessage(message, pkg))).to.deep.equal([])
  })

  it('has types that are those of its code, for whoever imports it as an ES module', async () => {
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory.path('')]
    const packed: unknown = JSON.parse(execFileSync('npm', args, { encoding: 'utf8' }))
    const name = Array.isArray(packed) ? String(packed[0]?.filename) : ''
    const analysis = await checkPackage(
      createPackageFromTarballData(new Uint8Array(readFileSync(directory.path(name)))),
      { entrypoints: ['./client', './react', './protocol/events', './protocol/api'] },
    )
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
