import { expect } from 'chai'
import { keptContent, MAX_CONTENT_BYTES, redact } from '../../../src/shadow/compare/redact.js'

/** Texts that are one number, and become one word. */
const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  '[id]': [
    '110105190001010012',
    '110105209912310012',
    '110105199012310012',
    '11010519900101001X',
    '11010519900101001x',
    '110105491231002',
    '110105 490131 002',
  ],
  '[phone]': [
    // mobile phones of mainland China
    ...['13812345678', '19912345678', '8613812345678', '008613812345678', '86 13812345678'],
    ...['(86)13812345678', '(86) 13812345678', '86-138-1234-5678', '138.1234.5678', '13812 345678'],
    ...['13812-345678', '(138) 1234 5678', '(138)1234 5678', '138-123-45678', '138.123.45678'],
    ...['1381-234-5678', '1 3 8 1 2 3 4 5 6 7 8', '138  1234  5678'],
    // landlines and hotlines
    ...['010-12345678', '01012345678', '010 1234 5678', '(010)12345678', '0571-1234567', '05711234567'],
    ...[
      '86 10 12345678',
      '0086-10-12345678',
      '861012345678',
      '+86 10 12345678',
      '010-123-4567',
      '0201234567',
    ],
    ...['400-800-1234', '800-800-1234', '4008001234', '400 8001234', '400-8001234'],
    // international ones
    ...['+1 234 567', '(+1 234 567', '+1234567890', '+123456789012345', '0044-20-7946-0958'],
    ...['0044 20 7946 09', '001 415 555 2671', '0044 (20) 7946 0958'],
    // in the groups of North America
    ...['415-555-2671', '415.555.2671', '415 555 2671', '(415) 555-2671', '(415)555-2671', '1-415-555-2671'],
    ...['1 415 555 2671', '1.415.555.2671', '415--555-2671', '1 (415) 555-2671'],
    // with the zero of their country
    ...['(02) 2345-6789', '(02)23456789', '02-2345-6789', '02-23456789', '020 23456789', '0201 23456789'],
    ...['0912345678', '020 202 6123', '03-1234-5678', '0312-12345678', '031-1234 5678'],
    ...[
      '030/12345678',
      '(030)/12345678',
      '(030) / 12345678',
      '030 /12345678',
      '030/ 12345678',
      '01234/12345',
    ],
    ...['012345/12345', '030/123456789', '020/12345'],
  ],
}

/** Texts that look like one at first sight. */
const OTHERS = [
  // no birthday, of another century, torn
  ...['110105189912310012', '110105210001010012', '110105199000010012', '110105199013010012'],
  ...['110105199001000012', '110105199001320012', '11010519900101001Xa', '11010519900101001X1'],
  ...['110105491331002', '110105490031002', '1101051990010100123', '21101051990010100123'],
  // no operator, a digit too many or too few, odd groups
  ...['12812345678', '1381234567', '138123456789', '138-12-345678', '138 12 345678', '1381 234 5678'],
  ...['1 2 8 1 2 3 4 5 6 7 8', '138 - 1234 5678', '10-12345678', '1012345678', '29-12345678', '0111234567'],
  ...['4001-800-1234', '400-800-123', '4155552671', '415-5552671', '415-555-26711', '415 - 555-2671'],
  ...['0044 20', '0044 20 79', '0044 00 20 30', '0001 20 7946', '00 44 20 7946', '0044 2 3 4 5 6 7'],
  ...['+1 234 56', '+1234567', '+123456789', '(+123456789', '+1234567890123456'],
  ...['02 23456789', '02012 23456789', '(02012)23456789', '0812345678', '091234567', '03-12345-678'],
  ...['0312-123456789', '03-2026-0012', '03-1926-0012', '03-2026123', '03-12', '03-123', '031-1234.5678'],
  ...['30/12345678', '000/12345678', '01/12345678', '0123456/12345', '030/1234', '030/1234567890'],
  ...['1030/12345678', '/030/12345678', '030/12345678/9', '123456789012', '12345678901234567'],
  ...['192.168.1.100', '1.2.3.4', '1921.168.1.1', '192.168.1.1.1', '0.192.168.1.1'],
]

/** The beginnings of banks' cards, and their lengths; and such as no bank has. */
const CARDS: readonly (readonly [head: string, length: number])[] = [
  ...[13, 14, 16, 18, 19].map((length) => ['4', length] as const),
  ...['222', '229', '23', '26', '270', '271', '272', '35', '5', '6', '9'].map((head) => [head, 16] as const),
  ...['34', '37'].map((head) => [head, 15] as const),
  ...['30', '36', '38', '39'].map((head) => [head, 14] as const),
]
const NO_CARDS: readonly (readonly [head: string, length: number])[] = [
  ['4', 12],
  ['4', 20],
  ...['1', '21', '273', '28', '7', '8', '34', '36', '33'].map((head) => [head, 16] as const),
  ['35', 15],
  ['31', 14],
]

/** Digits of that length with their Luhn check digit, and with a wrong one. */
function luhn(head: string, length: number): { right: string; wrong: string } {
  // No zeros behind the head: not to look like a phone number.
  const digits = head.padEnd(length - 1, '7')
  const sum = [...digits].reverse().reduce((total, digit, at) => {
    const value = Number(digit) * (at % 2 === 0 ? 2 : 1)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  const check = (10 - (sum % 10)) % 10
  return { right: `${digits}${check}`, wrong: `${digits}${(check + 3) % 10}` }
}

describe('redaction of numbers', () => {
  for (const [word, texts] of Object.entries(NUMBERS))
    it(`makes ${word} of each of their forms, alone and in a sentence`, () => {
      for (const text of texts) {
        expect(redact(text), text).to.equal(word)
        expect(redact(`在${text}。`), text).to.equal(`在${word}。`)
      }
    })

  it('leaves what only looks like one', () => {
    for (const text of OTHERS) expect(redact(text), text).to.equal(text)
  })

  it('knows cards by their beginning, their length and their check digit', () => {
    for (const [head, length] of CARDS) {
      const { right, wrong } = luhn(head, length)
      expect(redact(right), right).to.equal('[card]')
      expect(redact(wrong), wrong).to.equal(wrong)
    }
    for (const [head, length] of NO_CARDS) {
      const { right } = luhn(head, length)
      expect(redact(right), right).to.equal(right)
    }
  })

  it('finds each of several in a row, the longest first, and keeps what is between', () => {
    expect(redact('13812345678 4111111111111111 110105199012310012')).to.equal('[phone] [card] [id]')
    expect(redact('12 13812345678 34')).to.equal('12 [phone] 34')
    expect(redact('+1 2345 6789 0123 456')).to.equal('[phone] 456')
    expect(redact('+1 234 567 8901234567890')).to.equal('[phone] 8901234567890')
    expect(redact('86 - 13812345678')).to.equal('86 - [phone]')
    expect(redact('3.13812345678')).to.equal('3.[phone]')
    expect(redact('4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1')).to.equal('[card]')
    expect(redact('1 2 3 415-555-2671 4 5 6')).to.equal('1 2 3 [phone] 4 5 6')
    expect(redact('12) 4111) 1111) 1111) 1111) 35')).to.equal('12) [card]) 35')
    // Eight groups may be one number, no more.
    expect(redact('+1 2 3 4 5 6 7 8 9 10 11 12 13')).to.equal('[phone] 9 10 11 12 13')
  })

  it('looks at a number with as many signs as there can be', () => {
    expect(redact(`((${[...luhn('4', 19).right].join(' -')}`)).to.equal('[card]')
  })
})

describe('redaction behind a word that says phone', () => {
  const SURE = ['电话', '電話', '座机', '热线', '熱線', '传真', '傳真', '致电', '致電', 'tel', 'Telephone']
  const THINGS = ['手机', '手機', 'phone', 'Mobile']
  const SIGNS = [
    '号',
    '號',
    '号码',
    '號碼',
    ' number ',
    ' no ',
    ' no. ',
    '：',
    ': ',
    ' : ',
    '是',
    '号码：',
    ' number is ',
  ]

  it('takes seven digits for one', () => {
    for (const label of [...SURE, 'WhatsApp', 'fax'])
      for (const sign of [' ', '', ' is ', '为', '為 ', ...SIGNS])
        expect(redact(`${label}${sign}2345678`)).to.equal(`${label}${sign}[phone]`)
  })

  it('asks for a sign where the word names the thing as well', () => {
    for (const label of THINGS) {
      for (const sign of SIGNS) expect(redact(`${label}${sign}2345678`)).to.equal(`${label}${sign}[phone]`)
      expect(redact(`${label} 2345678`)).to.equal(`${label} 2345678`)
    }
  })

  it('takes the word alone, not the end or the beginning of another one', () => {
    for (const word of ['hotel', 'telly', 'telecom', 'xfax', 'faxes', 'iPhone:', 'phones:', 'automobile:'])
      expect(redact(`${word} 2345678`)).to.equal(`${word} 2345678`)
  })

  it('takes 7 to 19 digits, in any groups of people', () => {
    for (const number of [
      ...['2345678', '1234567890123456789', '(234) 56-78', '+(23) 45 67 8', '+2345678', '2.3.4.5.6.7.8'],
      ...['202612345', '18981234', '21981234', '234 2012 345'],
    ])
      expect(redact(`电话 ${number}`), number).to.equal('电话 [phone]')
    for (const number of [
      ...['234567', '12345678901234567890', '2 - 3-4-5-6-7-8', '2   345678', '23456   78', ' 2345678'],
      // dates, years
      ...['20261234', '19981234', '2026 1234', '2026.1234', '1998-1234'],
    ])
      expect(redact(`电话 ${number}`), number).to.equal(`电话 ${number}`)
  })
})

describe('redaction of addresses', () => {
  it('finds those that are spelt', () => {
    for (const address of [
      ...['ada(at)example.com', 'ada [AT] example [DOT] com', 'ada {at} example {dot} co {dot} uk'],
      ...[
        'ada [at] a.b.c.d.e',
        'a.b+c-d [at] x-y.com',
        'ada [ at ] example.com',
        'ada [at] example [ dot ] com',
      ],
    ])
      expect(redact(`<${address}>`), address).to.equal('<[email]>')
    for (const other of ['ada[at]example', 'ada  [at] example.com', 'ada [to] example.com'])
      expect(redact(other)).to.equal(other)
  })

  it('keeps the sentence before a name of another script, all but eight letters', () => {
    expect(redact('请把报告发给我的同事张三丰@example.com')).to.equal('请把报告发[email]')
    expect(redact('发给"张 三"@example.com')).to.equal('发给[email]')
    expect(redact('张三@example.io')).to.equal('张三@example.io')
    for (const end of ['com', 'cn', 'net', 'org', 'edu', 'gov', 'hk', 'tw', 'jp', 'de', 'uk'])
      expect(redact(`张三@example.${end}`)).to.equal('[email]')
  })

  it('reads full-width letters, digits and signs, and hyphens and blanks that do not break', () => {
    for (const hyphen of ['\u2010', '\u2011', '\u2012', '\u2013', '\u2015', '\u2212', '\uff0d'])
      expect(redact(`138${hyphen}1234${hyphen}5678`)).to.equal('[phone]')
    for (const blank of ['\u00a0', '\u2007', '\u2009', '\u202f', '\u3000'])
      expect(redact(`138${blank}1234${blank}5678`)).to.equal('[phone]')
    expect(redact('（+86）13812345678')).to.equal('[phone]')
    expect(redact('ada＠example．com')).to.equal('[email]')
    expect(redact('3\u20135，（5）3\u00a05')).to.equal('3-5，(5)3 5')
    // Left as they are where they stand between words.
    for (const text of ['一\u2013二\u3000三', '（括号）', 'a\u00a0b', '句子．'])
      expect(redact(text)).to.equal(text)
  })
})

describe('content that is kept', () => {
  it('is cut at its bound, and a longer text is not trusted to its last 512 units', () => {
    expect(keptContent('a'.repeat(MAX_CONTENT_BYTES), false)).to.have.lengthOf(MAX_CONTENT_BYTES)
    expect(keptContent('a'.repeat(MAX_CONTENT_BYTES + 1), false)).to.have.lengthOf(MAX_CONTENT_BYTES)
    expect(keptContent(`${'a'.repeat(100)}${'b'.repeat(512)}`, true)).to.equal('a'.repeat(100))
    expect(keptContent('b'.repeat(100), true)).to.equal('')
  })

  it('looks at 16 Ki units, and leaves out the last 512 where there is more', () => {
    // An address shrinks to a word, so that all that is looked at is kept.
    const addresses = (units: number) =>
      `${'a'.repeat(60)}@example.com `.repeat(Math.ceil(units / 73)).slice(0, units)
    const whole = keptContent(`${addresses(16_384 - 4)} end`, false)
    expect(whole).to.match(/ end$/)
    const longer = keptContent(`${addresses(16_384 - 4)} end.`, false)
    expect(longer.length).to.be.lessThan(whole.length)
    expect(longer).to.not.include('end')
  })
})
