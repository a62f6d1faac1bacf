import { expect } from 'chai'
import fc from 'fast-check'
import { keptContent, MAX_CONTENT_BYTES, redact } from '../../src/shadow/redact.js'

const NUM_RUNS = 300

describe('redaction', () => {
  const cases: [string, string][] = [
    ['Write to ada.lovelace+work@mail.example.co.uk.', 'Write to [email].'],
    ['我的邮箱是foo_1@bar.com请联系', '我的邮箱是[email]请联系'],
    ['ｆａｘ me＠example.com', 'ｆａｘ [email]'],
    ['tel13812345678y', 'tel[phone]y'],
    ['打13812345678找我', '打[phone]找我'],
    ['手机：１３８１２３４５６７８。', '手机：[phone]。'],
    ['138-1234-5678 or 138 1234 5678', '[phone] or [phone]'],
    ['+86 138 1234 5678', '[phone]'],
    ['0086-13812345678', '[phone]'],
    ['电话 010-12345678，0571 87654321', '电话 [phone]，[phone]'],
    ['（010）12345678', '[phone]'],
    ['400-800-1234', '[phone]'],
    ['+1 415 555 2671, +44 20 7946 0958', '[phone], [phone]'],
    ['call 415-555-2671', 'call [phone]'],
    ['身份证11010519491231002X', '身份证[id]'],
    ['440308199901010012', '[id]'],
    ['4111 1111 1111 1111', '[card]'],
    ['4111-1111-1111-1111, 378282246310005', '[card], [card]'],
    ['6222021234567890128', '[card]'],
    ['4111 1111 1111 1111 13812345678', '[card] [phone]'],
    ['13812345678 13912345678', '[phone] [phone]'],
    ['138\u20111234\u20115678 or 138\u00a01234\u00a05678', '[phone] or [phone]'],
    ['4111\u20131111\u20131111\u20131111', '[card]'],
    ['010-8888 8888', '[phone]'],
    ['0044 20 7946 0958', '[phone]'],
    ['zhang＠example．com', '[email]'],
  ]
  for (const [text, expected] of cases)
    it(`makes ${expected} of ${text}`, () => {
      expect(redact(text)).to.equal(expected)
    })

  const harmless = [
    'In 2026 there were 1,234,567 turns in 3.5 s.',
    '2026-01-31 12:30:00',
    'version 1.2.3, port 3001, 192.168.0.1',
    '4111 1111 1111 1112',
    'a @ b, @ada, foo@bar',
    'order 20260131',
    'number 0012345678, 1 2 3 4 5 6 7 8 9',
    '全角（括号）不变，！',
  ]
  for (const text of harmless)
    it(`leaves ${text}`, () => {
      expect(redact(text)).to.equal(text)
    })

  it('finds what is hidden in any text', () => {
    const secret = fc.constantFrom('ada@example.com', '13812345678', '11010519491231002X', '4111111111111111')
    const around = fc.string({ unit: fc.constantFrom('a', '中', ' ', '\n', '，', '。', '!') })
    fc.assert(
      fc.property(fc.array(fc.tuple(around, secret)), (pieces) => {
        const redacted = redact(pieces.map(([text, hidden]) => `${text}，${hidden}，`).join(''))
        for (const [, hidden] of pieces) expect(redacted).not.to.contain(hidden)
      }),
      { numRuns: NUM_RUNS },
    )
  })

  it('leaves no whole secret at any cut, and keeps whole characters', () => {
    const secrets = Array.from(
      { length: 400 },
      (_, at) => `${'😀中'.repeat(at % 7)} ada${at}@example.com 13812345678`,
    )
    const kept = keptContent(secrets.join(' '), false)
    expect(Buffer.byteLength(kept)).to.be.within(MAX_CONTENT_BYTES - 4, MAX_CONTENT_BYTES)
    expect(kept).not.to.match(/@example|138123|\ufffd/)
  })

  it('does not trust the end of a text that was cut', () => {
    expect(keptContent(`${'x '.repeat(400)}my number is 138123456`, true)).not.to.contain('138123')
    expect(keptContent('short 138123456', true)).to.equal('')
    expect(keptContent('short', false)).to.equal('short')
  })

  it('takes time in proportion to the text, whatever is in it', () => {
    const hostile = ['a', '1', '1 ', 'a@', '1-', '(', '+1', '@a.', '1.', 'a.'].map((piece) =>
      piece.repeat(65_536 / piece.length),
    )
    for (const text of hostile) {
      const at = performance.now()
      keptContent(text, false)
      expect(performance.now() - at, text.slice(0, 4)).to.be.below(500)
    }
  })
})
