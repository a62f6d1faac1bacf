import { expect } from 'chai'
import { canonicalJson, flagChecksum } from '../../../src/store/override/checksum.js'

describe('the checksum of a flag', () => {
  it('is over JSON with sorted keys and no blanks', () => {
    expect(canonicalJson({ b: [1, 2, { d: null, c: 'x' }], a: true, '10': {}, '9': [] })).to.equal(
      '{"10":{},"9":[],"a":true,"b":[1,2,{"c":"x","d":null}]}',
    )
    expect(canonicalJson([[], [0], 'a"b'])).to.equal('[[],[0],"a\\"b"]')
  })

  it('stays the one that is in files already', () => {
    const flag = {
      state: 'ENABLED',
      variants: { on: true, off: false },
      targeting: { in: [{ var: 'orgId' }, ['a', 'b']] },
    }
    expect(flagChecksum(flag)).to.equal('a3caa673208f-929f4b343f68')
    expect(flagChecksum({ ...flag, metadata: { revision: 3, checksum: 'x' } })).to.equal(
      'a3caa673208f-5855573a2034',
    )
  })
})
