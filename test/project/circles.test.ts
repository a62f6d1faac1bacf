import { expect } from 'chai'
import { allImports, circlesOf } from '../support/imports.js'

/** The targets of each file, imports of types among them. */
function targetsByFile(): ReadonlyMap<string, readonly string[]> {
  const targets = new Map<string, string[]>()
  for (const { from, to } of allImports()) targets.set(from, [...(targets.get(from) ?? []), to])
  return targets
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
