import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { watchPoints } from '../../../src/decision/file/watch-points.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

describe('the places to watch for a file', () => {
  const directory = temporaryDirectory()

  it('tell a directory from another that was put in its place', async () => {
    mkdirSync(directory.path('v1'))
    writeFileSync(directory.path('v1', 'a.json'), '')
    symlinkSync('v1', directory.path('current'))
    const before = await watchPoints(directory.path('current', 'a.json'))
    expect(await watchPoints(directory.path('current', 'a.json'))).to.deep.equal(before)
    renameSync(directory.path('v1'), directory.path('old'))
    mkdirSync(directory.path('v1'))
    const after = await watchPoints(directory.path('current', 'a.json'))
    expect(after.at(-1)).to.deep.include({ directory: before.at(-1)?.directory, name: 'a.json' })
    expect(after.at(-1)?.identity).to.not.equal(before.at(-1)?.identity)
  })

  it('are known by their path alone where the directory is missing', async () => {
    expect((await watchPoints(directory.path('nowhere', 'a.json'))).at(-1)?.identity).to.match(
      /^\/.*\/nowhere$/,
    )
  })
})
