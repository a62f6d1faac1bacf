import { expect } from 'chai'
import fc from 'fast-check'
import { allowedFileUrl, cleanFilename, cleanMimeType } from '../../../src/execution/runtime/runtime-files.js'
import { codePoint } from '../../support/code-point.js'

const BASE = 'http://runtime:8000'
const CDN = 'https://cdn.example'

const url = (from: string, baseUrl = BASE) => allowedFileUrl(from, { baseUrl, origins: [CDN] })

/** Texts that come near an address: its parts, what confuses parsers, and anything. */
const nearUrl = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'http:',
        'https:',
        'javascript:',
        'data:text/html,',
        'file:',
        'blob:',
        '/',
        '//',
        '\\',
        '@',
      ),
      fc.constantFrom(
        'runtime:8000',
        'runtime',
        'cdn.example',
        'evil.example',
        'user:pw@',
        '..',
        '.',
        '?',
        '#',
      ),
      fc.constantFrom('\t', '\n', '\u0000', '%00', '%2f', ' ', ':', '[', ']', '\u2028', '。'),
      fc.string({ unit: codePoint, maxLength: 4 }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))

describe('files of the runtime', () => {
  it('are at an absolute address, below the path of the runtime too', () => {
    expect(url('files/a b')).to.equal('http://runtime:8000/files/a%20b')
    expect(url('/f', 'http://gate/runtime')).to.equal('http://gate/runtime/f')
    expect(url('/f', 'http://gate/runtime//')).to.equal('http://gate/runtime/f')
    // Only at its beginning makes a scheme an address absolute.
    expect(url('/f?of=http://x/y', 'http://gate/runtime')).to.equal('http://gate/runtime/f?of=http://x/y')
    expect(url('http://runtime:8000/f')).to.equal('http://runtime:8000/f')
    expect(url('//runtime:8000/f')).to.equal('http://runtime:8000/f')
    expect(url(`${CDN}/f?sig=1`)).to.equal(`${CDN}/f?sig=1`)
  })

  it('never tell our own credentials for the runtime', () => {
    expect(url('/f', 'http://user:secret@runtime:8000')).to.equal('http://runtime:8000/f')
    expect(url('?a', 'http://user:secret@runtime:8000')).to.equal('http://runtime:8000/?a')
  })

  it('are dropped at any other place, and with credentials', () => {
    for (const foreign of [
      'https://evil.example/f',
      '//evil.example/f',
      '\\\\evil.example\\f',
      '\thttps://evil.example/f',
      'http://runtime/f',
      'https://runtime:8000/f',
      'http://runtime:8000.evil.example/f',
      'http://runtime:8000@evil.example/f',
      'http://user:pw@runtime:8000/f',
      'https://user@cdn.example/f',
      'http://:pw@runtime:8000/f',
      'http://cdn.example/f',
      'javascript:alert(1)',
      'JaVaScRiPt:alert(1)',
      ' javascript:alert(1)',
      'java\nscript:alert(1)',
      'data:text/html,<script>',
      'file:///etc/passwd',
      'blob:http://runtime:8000/1',
      `/${'x'.repeat(8193)}`,
    ]) {
      const found = url(foreign)
      // A parser may also read it as a path of the runtime itself.
      if (found !== undefined) expect(new URL(found).origin, foreign).to.equal(BASE)
      if (!foreign.includes('\n')) expect(found, foreign).to.equal(undefined)
    }
  })

  it('are at an allowed origin without credentials, whatever the runtime says', () => {
    fc.assert(
      fc.property(nearUrl, fc.constantFrom(BASE, 'http://user:secret@gate/runtime'), (from, base) => {
        const found = url(from, base)
        if (found === undefined) return
        const parsed = new URL(found)
        expect([new URL(base).origin, CDN]).to.include(parsed.origin)
        expect([parsed.username, parsed.password]).to.deep.equal(['', ''])
        expect(found).not.to.match(/[\p{Cc}\u2028\u2029\s]/u)
      }),
      { numRuns: 2000 },
    )
  })

  it('have names without path parts, control characters and turned text', () => {
    expect(cleanFilename('report.pdf')).to.equal('report.pdf')
    expect(cleanFilename('报告 2026.pdf')).to.equal('报告 2026.pdf')
    expect(cleanFilename('../../etc/passwd')).to.equal('passwd')
    expect(cleanFilename('C:\\Windows\\a.dll')).to.equal('a.dll')
    expect(cleanFilename('a\r\nSet-Cookie: x\u0000.txt')).to.equal('aSet-Cookie: x.txt')
    expect(cleanFilename('gnp.\u202efdp.exe')).to.equal('gnp.fdp.exe')
    for (const nothing of ['', '.', '..', '/', 'a/', '\u0000', ' \t '])
      expect(cleanFilename(nothing)).to.equal('file')
    const long = cleanFilename(`${'🦊'.repeat(300)}.markdown`)
    expect(long).to.have.length.within(250, 255)
    expect(long.endsWith('🦊.markdown')).to.equal(true)
  })

  it('have a name of a file, whatever the runtime says', () => {
    const any = fc.oneof(
      fc.string({ unit: codePoint, maxLength: 600 }),
      fc
        .array(fc.constantFrom('/', '\\', '..', '.', '\u0000', '\u202e', '\ud83e', 'a', ' '), {
          maxLength: 12,
        })
        .map((all) => all.join('')),
    )
    fc.assert(
      fc.property(any, (name) => {
        const clean = cleanFilename(name)
        expect(clean).not.to.match(/[\\/\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
        expect(clean).to.have.length.within(1, 255)
        expect(clean).not.to.match(/^\.*$/)
        expect(clean).not.to.match(/\p{Surrogate}/u)
        expect(cleanFilename(clean)).to.equal(clean)
      }),
      { numRuns: 2000 },
    )
  })

  it('have a type of media, or are bytes', () => {
    for (const good of ['text/markdown', 'text/plain; charset=utf-8', 'image/svg+xml'])
      expect(cleanMimeType(good)).to.equal(good)
    for (const wrong of [undefined, 7, '', 'text', 'a/b/c', 'text/html\r\nx: y', `a/${'b'.repeat(200)}`])
      expect(cleanMimeType(wrong)).to.equal('application/octet-stream')
  })

  it('are links of at most 8,192 characters, also once they are written out', () => {
    const path = (length: number) => 'x'.repeat(length - `${BASE}/`.length)
    expect(url(`/${path(8192)}`)).to.have.lengthOf(8192)
    expect(url(`/${path(8193)}`)).to.equal(undefined)
    expect(url(`${BASE}/${path(8192)}`)).to.have.lengthOf(8192)
    // It may become shorter: what is long as it comes is dropped all the same.
    expect(url(`${BASE}/${'x/../'.repeat(2000)}f`)).to.equal(undefined)
    // Each is six characters in an address.
    expect(url(`/${'é'.repeat(2000)}`)).to.equal(undefined)
    expect(url('/f', 'no address')).to.equal(undefined)
  })

  it('have names of at most 255 units, of which the ending stays', () => {
    expect(cleanFilename('n'.repeat(255))).to.equal('n'.repeat(255))
    expect(cleanFilename(`${'n'.repeat(255)}.pdf`)).to.equal(`${'n'.repeat(251)}.pdf`)
    expect(cleanFilename(`${'n'.repeat(250)}😀.pdf`)).to.equal(`${'n'.repeat(250)}.pdf`)
    expect(cleanFilename(`😀${'n'.repeat(255)}.pdf`)).to.equal(`😀${'n'.repeat(249)}.pdf`)
    expect(cleanFilename('n'.repeat(300))).to.equal('n'.repeat(255))
    expect(cleanFilename(`n.${'e'.repeat(300)}`)).to.equal(`n.${'e'.repeat(253)}`)
    expect(cleanFilename(`${'n'.repeat(300)}.${'e'.repeat(16)}`)).to.match(/^n{238}\.e{16}$/)
    expect(cleanFilename(`${'n'.repeat(300)}.${'e'.repeat(17)}`)).to.equal('n'.repeat(255))
    expect(cleanFilename(`a/${'n'.repeat(5000)}.pdf`)).to.equal(`${'n'.repeat(251)}.pdf`)
  })

  it('have no path, no sign that nobody sees, and some name', () => {
    expect(cleanFilename('a/b\\c.pdf')).to.equal('c.pdf')
    expect(cleanFilename(' c.pdf ')).to.equal('c.pdf')
    expect(cleanFilename('..pdf')).to.equal('..pdf')
    for (const none of ['', '.', '..', ' ', 'a/', '\u202e', '\u0000.'])
      expect(cleanFilename(none)).to.equal('file')
    for (const sign of [
      '\u0000',
      '\n',
      '\u007f',
      '\u2028',
      '\u2029',
      '\u061c',
      '\u200e',
      '\u200f',
      '\u202a',
      '\u202e',
      '\u2066',
      '\u2069',
      '\ufeff',
    ])
      expect(cleanFilename(`a${sign}b`)).to.equal('ab')
  })

  it('have a type, or are bytes', () => {
    for (const type of [
      'text/markdown',
      'text/plain; charset=utf-8',
      'a!#$&^.+-_/b!#$&^.+-_',
      `${'a'.repeat(127)}/b`,
    ])
      expect(cleanMimeType(type)).to.equal(type)
    for (const type of [
      ...[
        undefined,
        5,
        ['text/x'],
        '',
        'text',
        'text/',
        '/x',
        'text/x\n',
        'a b/c',
        'text/x;\u00e9',
        'text/x charset',
      ],
      ...[`${'a'.repeat(128)}/b`, `a/${'b'.repeat(128)}`, `a/b;${'c'.repeat(128)}`, ' text/x', 'text/x '],
    ])
      expect(cleanMimeType(type), String(type)).to.equal('application/octet-stream')
  })
})
