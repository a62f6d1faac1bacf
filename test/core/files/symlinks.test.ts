import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { pathSteps } from '../../../src/core/files/symlinks.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

describe('the links on the way to a file', () => {
  const directory = temporaryDirectory()
  const real = (...names: string[]) => [realpathSync(directory.path()), ...names].join('/')

  async function stepsOf(...names: string[]): Promise<string[]> {
    const steps = await pathSteps(directory.path(...names))
    return steps.map(({ directory: at, name }) => `${at}/${name}`).filter((step) => step.startsWith(real()))
  }

  it('are the file itself, where no link leads to it', async () => {
    writeFileSync(directory.path('a.json'), '')
    expect(await stepsOf('a.json')).to.deep.equal([real('a.json')])
  })

  it('are each link and the file, in their real directories', async () => {
    mkdirSync(directory.path('..v1'))
    writeFileSync(directory.path('..v1', 'a.json'), '')
    symlinkSync('..v1', directory.path('..data'))
    symlinkSync('..data/a.json', directory.path('a.json'))
    expect(await stepsOf('a.json')).to.deep.equal([real('a.json'), real('..data'), real('..v1', 'a.json')])
  })

  it('follow an absolute link and one that leads upwards', async () => {
    mkdirSync(directory.path('x', 'y'), { recursive: true })
    writeFileSync(directory.path('b.json'), '')
    symlinkSync(directory.path('x', 'y'), directory.path('link'))
    symlinkSync('../../b.json', directory.path('x', 'y', 'a.json'))
    expect(await stepsOf('link', 'a.json')).to.deep.equal([
      real('link'),
      real('x', 'y', 'a.json'),
      real('b.json'),
    ])
  })

  it('are known for a file that is missing, and for links that lead in a circle', async () => {
    expect(await stepsOf('nowhere', 'a.json')).to.deep.equal([real('nowhere', 'a.json')])
    symlinkSync('two', directory.path('one'))
    symlinkSync('one', directory.path('two'))
    expect((await stepsOf('one')).slice(0, 2)).to.deep.equal([real('one'), real('two')])
  })
})
