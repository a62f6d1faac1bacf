import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { runFlagsValidate } from '../../../src/cli/setup/flags-validate.js'
import type { Language } from '../../../src/cli/text/language.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

function run(argv: string[], env: Record<string, string> = {}, language: Language = 'en') {
  let out = ''
  let err = ''
  const output = {
    out: (text: string) => {
      out += text
    },
    err: (text: string) => {
      err += text
    },
  }
  const code = runFlagsValidate(argv, env, output, language)
  return { code, out, err }
}

describe('flags validate', () => {
  const directory = temporaryDirectory()
  const shipped = readFileSync('flags/chat.flagd.json', 'utf8')

  function write(name: string, text: string): string {
    writeFileSync(directory.path(name), text)
    return directory.path(name)
  }

  it('finds the shipped files good', () => {
    const { code, out } = run([])
    expect(code).to.equal(0)
    expect(out).to.equal('flags/chat.flagd.json: good\nflags/auto-fallback.flagd.json: good\n')
  })

  it('checks the override alone where a provider has the other flags', () => {
    const { code, out } = run([], { CHAT_PROVIDER_MODULE: './provider.mjs' })
    expect([code, out]).to.deep.equal([0, 'flags/auto-fallback.flagd.json: good\n'])
  })

  it('names file, line and column of an error', () => {
    const file = write('a.json', shipped.replace('"defaultVariant": "auto"', '"defaultVariant": "x"'))
    const { code, out } = run([file])
    expect(code).to.equal(1)
    const line = shipped.slice(0, shipped.indexOf('"defaultVariant": "auto"')).split('\n').length
    expect(out).to.match(new RegExp(`^${file}:${line}:\\d+: error: .*"x", which is not among the variants`))
  })

  it('says what is wrong in Chinese where it is asked to, its places as in English', () => {
    const file = write(
      'a.json',
      shipped
        .replace('"timeoutRate": 0.3', '"timeoutRate": 30')
        .replace('"state": "ENABLED"', '"state": "on"'),
    )
    const lines = (language: Language) => run([file], {}, language).out.trimEnd().split('\n')
    const places = (language: Language) =>
      lines(language).map((line) => /^.*?:\d+:\d+: error: \S+/.exec(line)?.[0])
    expect(places('zh-CN')).to.deep.equal(places('en')).and.to.have.length(2)
    expect(lines('zh-CN')[1]).to.match(/timeoutRate: 不能大于 1，现为 30；是否应为 0\.3（即 30%）？$/)
    expect(lines('en')[1]).to.match(/timeoutRate: must be at most 1, not 30; did you mean 0\.3 for 30%\?$/)
    expect(lines('zh-CN')[0]).to.contain('"state" 必须是 "ENABLED" 或 "DISABLED"')
  })

  it('passes over a warning', () => {
    const file = write('a.json', shipped.replace('"chat-agent-profile"', '"chat-agent-profil"'))
    const { code, out } = run([file])
    expect(code).to.equal(0)
    expect(out).to.match(/: warning: /)
  })

  it('checks the configured files, each as what it is', () => {
    const override = write('override.json', '{"flags": {}}')
    const env = { CHAT_FLAGS_FILE: write('ops.json', '{"flags": {}}'), CHAT_FALLBACK_FLAGS_FILE: override }
    const { code, out } = run([], env)
    expect(code).to.equal(1)
    expect(out).to.match(/ops\.json: good\n.*override\.json:1:\d+: error: /)
    expect(run([override]).code).to.equal(0)
    expect(run([override], env).code).to.equal(1)
    expect(run(['--override', override]).code).to.equal(1)
  })

  it('says the same as JSON', () => {
    const { code, out } = run(['--json', write('a.json', '{}')])
    expect(code).to.equal(1)
    const report = JSON.parse(out)
    expect(report.valid).to.equal(false)
    expect(report.files[0].issues[0]).to.include({ line: 1, column: 1, severity: 'error' })
  })

  it('tells wrong usage and an unreadable file from a wrong one', () => {
    expect(run(['--what']).code).to.equal(2)
    expect(run(['--what']).err).to.match(/--help/)
    const missing = run([directory.path('none.json')])
    expect(missing).to.deep.include({ code: 2 })
    expect(missing.err).to.match(/none\.json: cannot be read: ENOENT/)
  })

  it('explains itself', () => {
    const { code, out } = run(['--help'])
    expect(code).to.equal(0)
    expect(out).to.match(/Exit code/)
  })
})
