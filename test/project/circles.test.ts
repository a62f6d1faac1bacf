import { expect } from 'chai'
import { allImports } from '../support/imports.js'

/** The targets of each file, imports of types among them. */
function targetsByFile(): ReadonlyMap<string, readonly string[]> {
  const targets = new Map<string, string[]>()
  for (const { from, to } of allImports()) targets.set(from, [...(targets.get(from) ?? []), to])
  return targets
}

/** Circles of a graph, each as the way from a file back to itself; none is empty. Not every circle: one for each way back. */
function circlesOf(targets: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const path: string[] = []
  const circles: string[] = []
  const visit = (file: string): void => {
    const at = path.indexOf(file)
    if (at >= 0) circles.push([...path.slice(at), file].join(' → '))
    if (at >= 0 || done.has(file)) return
    path.push(file)
    for (const target of targets.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of targets.keys()) visit(file)
  return circles
}

describe('the files of src/', () => {
  it('import each other in no circle', () => {
    expect(circlesOf(targetsByFile())).to.deep.equal([])
  })

  it('are searched by a function that finds circles', () => {
    const targets = new Map([
      ['a', ['b', 'd']],
      ['b', ['c']],
      ['c', ['d', 'b']],
      ['d', []],
    ])
    expect(circlesOf(targets)).to.deep.equal(['b → c → b'])
    expect(circlesOf(new Map([['a', ['a']]]))).to.deep.equal(['a → a'])
    expect(targetsByFile().size).to.be.greaterThan(100)
  })
})
