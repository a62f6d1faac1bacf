import { expect } from 'chai'
import { edited, SHIPPED, valuesOf } from './edited.js'

const LIST = '"in": [{ "var": "orgId" }, []]'
const withList = (list: string) =>
  SHIPPED.replace(LIST, `"in": [{ "var": "orgId" }, ${list}]`).replace(
    '"defaultVariant": null',
    '"defaultVariant": "direct_llm"',
  )

/** The text of the list of orgs after an edit. */
function listAfter(list: string, enabledOrgs: object): string {
  const { text } = edited(withList(list), { enabledOrgs })
  const rest = withList('@').split('@')
  expect(text.startsWith(rest[0] ?? '')).to.equal(true)
  expect(text.endsWith(rest[1] ?? '')).to.equal(true)
  return text.slice(rest[0]?.length, text.length - (rest[1]?.length ?? 0))
}

describe('a list of orgs', () => {
  it('is edited in the form it has', () => {
    expect(listAfter('["a","b"]', { add: ['c'] })).to.equal('["a","b", "c"]')
    expect(listAfter('[ "a" ]', { add: ['c'] })).to.equal('[ "a", "c" ]')
    expect(listAfter('[]', { add: ['c'] })).to.equal('["c"]')
    expect(listAfter('[ ]', { add: ['c'] })).to.equal('["c" ]')
    expect(listAfter('[\n    "a",\n    "b"\n  ]', { add: ['c', 'd'] })).to.equal(
      '[\n    "a",\n    "b",\n    "c",\n    "d"\n  ]',
    )
    expect(listAfter('[\n    "a"\n  ]', { add: ['c'] })).to.equal('[\n    "a",\n    "c"\n  ]')
    // In its own indentation, not in that of the file.
    expect(listAfter('[\n "a",\n\n "b"\n]', { add: ['c'] })).to.equal('[\n "a",\n\n "b",\n\n "c"\n]')
    expect(valuesOf(edited(withList('[\n]'), { enabledOrgs: { add: ['c'] } }).text).mode.enabledOrgs).to.eql([
      'c',
    ])
    expect(listAfter('["a", "b", "c"]', { remove: ['a', 'c'] })).to.equal('["b"]')
    expect(listAfter('[ "a" ]', { set: [] })).to.equal('[]')
  })

  it('loses the second of two that are the same, and keeps the first', () => {
    expect(listAfter('["a", "b", "a"]', { set: ['a', 'b'] })).to.equal('["a", "b"]')
    const { changes } = edited(withList('["a", "a"]'), { enabledOrgs: { set: ['a'] } })
    expect(changes).to.deep.equal([
      { path: '$evaluators.runtime-enabled-orgs.in.1', before: ['a', 'a'], after: ['a'] },
    ])
  })

  it('is not touched where the same orgs are asked for in another order', () => {
    const text = withList('["a","b"]')
    expect(edited(text, { enabledOrgs: { set: ['b', 'a'] } })).to.deep.equal({
      kind: 'edited',
      text,
      changes: [],
    })
  })

  it('stays on its line up to 100 characters, and is broken into lines beyond', () => {
    // `      "in": [{ "var": "orgId" }, [` and what the edit adds: the line up to the end of the list.
    const head = '      "in": [{ "var": "orgId" }, []'.length
    const name = (length: number) => 'x'.repeat(length - 2)
    const one = listAfter('[]', { add: [name(98 - head)] })
    expect(one).to.equal(`["${name(98 - head)}"]`)
    const longer = edited(withList('[]'), { enabledOrgs: { add: [name(99 - head)] } }).text
    expect(longer).to.include(`\n          "${name(99 - head)}"\n`)
  })

  it('is written again where more than 50 items change', () => {
    const orgs = (count: number) => Array.from({ length: count }, (_, at) => `o${at}`)
    const wide = `[\n\n${orgs(60)
      .map((org) => `"${org}"`)
      .join(',\n\n')}\n\n]`
    const fifty = listAfter(wide, { remove: orgs(50) })
    expect(fifty).to.include('\n\n"o51"')
    const more = listAfter(wide, { remove: orgs(51) })
    expect(more).to.not.include('\n\n')
    expect(JSON.parse(more)).to.deep.equal(orgs(60).slice(51))
  })
})

describe('an edit keeps the form of the file', () => {
  const document = JSON.parse(SHIPPED)

  it('indents as its first indented line does', () => {
    for (const indent of ['  ', '    ', '\t', '   ']) {
      const { text } = edited(JSON.stringify(document, null, indent), { shadowPercent: 5 })
      expect(text).to.equal(JSON.stringify(JSON.parse(text), null, indent))
    }
  })

  it('breaks no lines with the wrong end, whatever the file has', () => {
    const unix = edited(JSON.stringify(document, null, 2), { shadowPercent: 5 }).text
    expect(unix).to.not.include('\r')
    const windows = JSON.stringify(document, null, 2).replaceAll('\n', '\r\n')
    expect(edited(windows, { shadowPercent: 5 }).text.replaceAll('\r\n', '\n')).to.equal(unix)
  })

  it('indents by two in a file that is one line', () => {
    const { text } = edited(JSON.stringify(document), { shadowPercent: 5 })
    expect(valuesOf(text).shadow.percent).to.equal(5)
    expect(text).to.equal(JSON.stringify(JSON.parse(text), null, 2))
  })
})
