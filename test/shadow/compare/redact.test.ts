import { expect } from 'chai'
import fc from 'fast-check'
import { keptContent, MAX_CONTENT_BYTES, redact } from '../../../src/shadow/compare/redact.js'

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
    ['| 张三 | 138 1234 5678 | a@b.co |', '| 张三 | [phone] | [email] |'],
    ['{"phone":"13812345678","mail":"a.b@x.cn"}', '{"phone":"[phone]","mail":"[email]"}'],
    ['<a href="tel:+8613812345678">', '<a href="tel:[phone]">'],
    ['138.1234.5678 or 1381-234-5678 or 1 3 8 1 2 3 4 5 6 7 8', '[phone] or [phone] or [phone]'],
    ['(+86) 138 1234 5678，（+86）13812345678', '[phone]，[phone]'],
    ['+44 (0)20 7946 0958, +7 (495) 123-45-67', '[phone], [phone]'],
    ['香港电话 9123 4567，WhatsApp: 9123 4567', '香港电话 [phone]，WhatsApp: [phone]'],
    ['手机号：91234567', '手机号：[phone]'],
    ['台湾 0912-345-678、0912345678、(02) 2345-6789', '台湾 [phone]、[phone]、[phone]'],
    ['07700 900123 or (020) 7946 0958', '[phone] or [phone]'],
    ['030/12345678, 0151 23456789, 030 12345678', '[phone], [phone], [phone]'],
    ['03-1234-5678', '[phone]'],
    ['110105 19491231 002X', '[id]'],
    ['6222 0212 3456 7890 128 und 3782 822463 10005', '[card] und [card]'],
    ['josé.garcía@correo.es, user@münchen.de', '[email], [email]'],
    ['邮箱：张三@example.com，李四@公司.中国', '邮箱：[email]，[email]'],
    ['"john doe"@example.com', '[email]'],
    ['zhang [at] example [dot] com, li(at)example.com', '[email], [email]'],
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
    'npm i koa@3.3.0 @types/node@20.11.5, vue@3.x版本, git@v1.2.3',
    '装饰器@app.get 和 @app.route，关注@koa，arr[at].length',
    '1366 768 1024, 1920 1080 720',
    '1 3 5 7 9 11 13 15 17',
    '010 020 030, 001 002 003 004 005, 01 2026 2027',
    '2026-01-31 2026-02-28, 05-06-2026 07-08-2026, 2026/01/31',
    'at 1706672400000, order 20260131000123, invoice 03-2026-0012',
    '192.168.1.1 255.255.255.0',
    '3000 3100 3200 3300',
    '+10000000, +1.5%, ¥1,234,567.89, 1 234 567,89 €',
    '手机 3000-4000 元，手机 2026-01-31 发布，电话：2026-01-31 10:00，电话费 1234567 元',
    'iPhone 15 2023-2024',
    '| 1200 | 1350 | 1500 |',
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
    const hostile = [
      'a',
      '张',
      'é@',
      '"',
      'a[at]',
      '电话1 ',
      '030/',
      '1',
      '1 ',
      'a@',
      '1-',
      '(',
      '+1',
      '@a.',
      '1.',
      'a.',
    ].map((piece) => piece.repeat(65_536 / piece.length))
    for (const text of hostile) {
      // Of the processor: a busy machine is no slow code.
      const before = process.cpuUsage()
      keptContent(text, false)
      const { user, system } = process.cpuUsage(before)
      expect((user + system) / 1000, text.slice(0, 4)).to.be.below(500)
    }
  })
})
