import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { entriesOf, faultsOf } from './contents.js'

const LOCK = JSON.stringify({ packages: { 'node_modules/koa': {}, 'node_modules/mocha': { dev: true } } })
/** a user that no file of the test belongs to */
const NOBODY = 65_534

describe('what the check of the image finds', () => {
  let root: string

  const put = (path: string, text = '{}', mode = 0o644): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    chmodSync(join(root, path), mode)
  }
  const faults = (): string[] => faultsOf(root, entriesOf(root), LOCK, NOBODY)

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'chat-cutover-image-test-'))
    for (const path of ['dist/main.js', 'flags/a.json', 'package.json', 'data/.keep']) put(`app/${path}`)
    put('app/node_modules/koa/package.json')
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  it('is nothing in a good image', () => expect(faults()).to.deep.equal([]))

  for (const [what, path, text, mode, fault] of [
    [
      'a development package',
      'app/node_modules/mocha/package.json',
      '{}',
      0o644,
      /mocha: a development package/,
    ],
    ['tests', 'app/test/a.js', '', 0o644, /\/app\/test: not meant/],
    ['an environment file', 'app/dist/.env', '', 0o644, /\.env: such a file/],
    ['a database', 'app/dist/chat.db', '', 0o644, /chat\.db: such a file/],
    ['a set-user-id program', 'usr/local/bin/x', '', 0o4755, /x: runs with another user's rights/],
    ['code that anybody may change', 'app/dist/a.js', '', 0o666, /a\.js: the service can change it/],
    [
      'a key',
      'app/dist/k.js',
      `const key = "AKIA${'A'.repeat(16)}"`,
      0o644,
      /k\.js: has what looks like a secret/,
    ],
  ] as const)
    it(`is ${what}`, () => {
      put(path, text, mode)
      expect(faults()).to.have.length(1)
      expect(faults()[0]).to.match(fault)
    })

  it('is a part that is missing', () => {
    rmSync(join(root, 'app/flags'), { recursive: true })
    expect(faults()).to.deep.equal(['/app/flags: missing'])
  })
})
