import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { sourceFiles } from '../support/imports.js'

/** What no file of src/ may do. */
const filesWith = (pattern: RegExp): string[] =>
  sourceFiles().filter((file) => pattern.test(readFileSync(`src/${file}`, 'utf8')))

describe('the code', () => {
  it('puts what users and backends say into pages as text, never as HTML', () => {
    expect(sourceFiles().some((file) => file.endsWith('.tsx'))).to.equal(true)
    expect(
      filesWith(/innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|srcdoc/),
    ).to.deep.equal([])
  })

  it('makes no code from text', () => {
    expect(filesWith(/\beval\(|new Function\(|node:vm['"]/)).to.deep.equal([])
  })

  it('compares what it has signed in constant time alone', () => {
    expect(filesWith(/createHmac/)).to.deep.equal([
      'http/stream/stream-token.ts',
      'notifications/signature.ts',
    ])
    // The other one only signs.
    expect(filesWith(/createHmac\([\s\S]*[^.]timingSafeEqual\(/)).to.deep.equal([
      'http/stream/stream-token.ts',
    ])
  })
})
