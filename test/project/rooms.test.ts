import { readdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { expect } from 'chai'
import { sourceFiles } from '../support/imports.js'

/** files a room may hold beside the rooms within it; more are no longer seen at a glance */
const MOST = 15

/** Its files are the package's exports, by these names. */
const MOST_OF: Readonly<Record<string, number>> = { protocol: 28 }

/** How many files each folder has, the rooms within it not counted. */
function filesByFolder(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const file of sourceFiles()) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1)
  return counts
}

/** Test files below `test/`, without `.test.ts`. */
function tests(): string[] {
  const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith('.test.ts')).map((file) => file.replace(/\.test\.ts$/, ''))
}

describe('the rooms of src/', () => {
  const counts = filesByFolder()

  it('have few files each', () => {
    const wrong = [...counts].filter(([folder, count]) => count > (MOST_OF[folder] ?? MOST))
    expect(wrong).to.deep.equal([])
  })

  it('have more than one file', () => {
    expect([...counts].filter(([, count]) => count === 1)).to.deep.equal([])
    expect(counts.size).to.be.greaterThan(20)
  })

  it('are mirrored by the folders of their tests', () => {
    const places = new Map<string, string[]>()
    for (const file of sourceFiles()) {
      const name = `${file.split('/')[0]}/${basename(file, '.ts')}`
      places.set(name, [...(places.get(name) ?? []), dirname(file)])
    }
    const wrong = tests().filter((test) => {
      const sources = places.get(`${test.split('/')[0]}/${basename(test)}`)
      return sources !== undefined && !sources.includes(dirname(test))
    })
    expect(wrong).to.deep.equal([])
  })
})
