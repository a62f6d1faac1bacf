import { expect } from 'chai'
import { isJsonFault, nodeNear, parseJsonTree, positionOf } from '../../../src/core/json/json-tree.js'

const faultOf = (text: string) => {
  const parsed = parseJsonTree(text)
  return isJsonFault(parsed) ? parsed : undefined
}

describe('a text as a JSON tree', () => {
  const faulty: readonly [what: string, text: string, offset: number, message: string][] = [
    ['nothing', ' \n', 0, 'the file is empty'],
    ['a byte order mark', '\ufeff{}', 0, 'not JSON: it begins with a byte order mark'],
    ['brackets without end', '['.repeat(1000), 256, 'nested deeper than 256 levels'],
    ['a torn end', '{"a": 1', 7, 'not JSON: close brace expected'],
    ['a comment', '{} // no', 3, 'not JSON: invalid comment token'],
    ['a trailing comma', '{"a": 1,}', 8, 'not JSON: property name expected'],
  ]
  for (const [what, text, offset, message] of faulty)
    it(`says where and why it is none: ${what}`, () => {
      const fault = faultOf(text)
      expect([fault?.offset, fault?.message.en]).to.deep.equal([offset, message])
      expect(fault?.message['zh-CN']).to.match(/[\u4e00-\u9fff]/)
    })

  it('gives the node that is asked for, or what is nearest above it', () => {
    const root = parseJsonTree('{"a": {"b": [1, 2]}}')
    if (isJsonFault(root)) throw new Error(root.message.en)
    expect(nodeNear(root, ['a', 'b', 1]).value).to.equal(2)
    expect(nodeNear(root, ['a', 'b', 7]).type).to.equal('array')
    expect(nodeNear(root, ['x'])).to.equal(root)
  })

  it('counts lines and columns from 1', () => {
    expect(positionOf('ab\ncd', 0)).to.deep.equal({ line: 1, column: 1 })
    expect(positionOf('ab\ncd', 4)).to.deep.equal({ line: 2, column: 2 })
  })
})
