import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { decodeJwt, jwtVerify } from 'jose'
import type { Context } from 'mocha'
import { COMMANDS } from '../../../src/cli/all-commands.js'
import { shadowDropsText } from '../../../src/protocol/execution-results.js'
import { shadowPairsSchema } from '../../../src/protocol/shadow-pairs.js'
import { shadowReportSchema } from '../../../src/protocol/shadow-report.js'
import { SHADOW_DROP_REASONS, type ShadowDropReason } from '../../../src/shadow/report/shadow-counts.js'
import { edgeToken, operatorEnv, runCli } from '../../support/cli.js'
import { sampleComparison, sampleDrop } from '../../support/comparisons.js'
import { EDGE_SECRET, type Edge, startEdge } from '../../support/edge.js'
import { manualClock } from '../../support/manual-clock.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

describe('chat-cutover token', () => {
  const directory = temporaryDirectory()
  const env = { JWT_SECRET: EDGE_SECRET }

  it('makes a token that the service takes', async () => {
    const edge = await startEdge()
    const { code, out } = await runCli(['token'], { env })
    expect(code).to.equal(0)
    const setting = { env: { CHAT_URL: edge.url, CHAT_TOKEN: out.trim() } }
    expect((await runCli(['status'], setting)).code).to.equal(0)
    const member = await runCli(['token', '--role', 'member'], { env })
    const refused = await runCli(['status'], { env: { CHAT_URL: edge.url, CHAT_TOKEN: member.out.trim() } })
    expect(refused.err).to.contain('403')
    await edge.close()
  })

  it('takes the secret from a file, as the service does', async () => {
    const file = directory.path('secret')
    writeFileSync(file, `${EDGE_SECRET}\n`)
    const fromFile = await runCli(['token'], { env: { JWT_SECRET_FILE: file } })
    await jwtVerify(fromFile.out.trim(), new TextEncoder().encode(EDGE_SECRET))
  })

  it('says whose it is, for how long, and from whom', async () => {
    const clock = manualClock(Date.UTC(2026, 0, 1))
    const more = { ...env, JWT_ISSUER: 'us', JWT_AUDIENCE: 'chat' }
    const argv = ['token', '--role', 'owner', '--org', 'acme', '--user', 'ada', '--ttl', '60', '--json']
    const { token, expiresAt } = JSON.parse((await runCli(argv, { env: more, clock })).out)
    expect(expiresAt).to.equal('2026-01-01T00:01:00.000Z')
    expect(decodeJwt(token)).to.deep.equal({
      org_id: 'acme',
      role: 'owner',
      sub: 'ada',
      iat: Date.UTC(2026, 0, 1) / 1000,
      exp: Date.UTC(2026, 0, 1) / 1000 + 60,
      iss: 'us',
      aud: 'chat',
    })
  })

  it('says what is missing', async () => {
    for (const [given, said] of [
      [{}, /^JWT_SECRET is not set\./],
      [{ JWKS_URL: 'https://x' }, /identity provider.*chat-cutover login/],
      [{ JWT_SECRET: 'short' }, /at least 32 bytes/],
      [{ JWT_SECRET_FILE: '/nowhere' }, /^JWT_SECRET_FILE .* ENOENT/],
    ] as const) {
      const { code, err, out } = await runCli(['token'], { env: given })
      expect([code, out]).to.deep.equal([2, ''])
      expect(err).to.match(said)
    }
    expect((await runCli(['token', '--role', 'king'], { env })).err).to.contain('member, admin, owner')
  })
})

describe('chat-cutover login', () => {
  const directory = temporaryDirectory()
  let edge: Edge
  beforeEach(async () => {
    edge = await startEdge()
  })
  afterEach(() => edge.close())

  const home = () => ({ HOME: directory.path(), XDG_CONFIG_HOME: undefined })
  const file = () => directory.path('.config', 'chat-cutover', 'config.json')
  const login = async (more: string[] = [], claims = {}) =>
    runCli(['login', '--url', edge.url, ...more], { env: home(), input: `${await edgeToken(claims)}\n` })

  it('keeps address and token, for the owner alone, and commands go by them', async () => {
    const { code, out, err } = await login()
    expect([code, err]).to.deep.equal([0, ''])
    expect(out).to.match(
      /^Kept as profile "default" for http:\S+, good until 20.*It may operate the service\.\n/,
    )
    expect(statSync(file()).mode & 0o777).to.equal(0o600)
    expect((await runCli(['status'], { env: home() })).code).to.equal(0)
    expect((await runCli(['baseline'], { env: home() })).code).to.equal(0)
    expect(out).not.to.contain(await edgeToken())
  })

  it('keeps nothing that the service refuses', async () => {
    const { code, err } = await login([], { exp: 1 })
    expect(code).to.equal(1)
    expect(err).to.contain('401 unauthorized').and.to.contain('The token came from the input.')
    expect(() => statSync(file())).to.throw('ENOENT')
    const gone = await runCli(['login', '--url', 'http://127.0.0.1:1'], { env: home(), input: 'abc\n' })
    expect(gone.code).to.equal(1)
    expect(gone.err).to.match(/^No service at http:.*\. Start it, or correct the address \(from --url\)\n$/)
    expect((await runCli(['login', '--url', edge.url], { env: home(), input: '' })).err).to.match(
      /^No token was given/,
    )
  })

  it('ends by Ctrl-C at a terminal, where that is a key', async () => {
    const terminal = Object.assign(new PassThrough(), { isTTY: true })
    terminal.write('abc\u0003')
    const { code, out, err } = await runCli(['login', '--url', edge.url], { env: home(), input: terminal })
    expect([code, out]).to.deep.equal([130, ''])
    expect(err).to.match(/^Access token for http:\S+ \(not shown\): \n$/)
    expect(() => statSync(file())).to.throw('ENOENT')
  })

  it('says so where the token may not operate the service', async () => {
    expect((await login([], { role: 'member' })).out).to.contain('It may chat, not operate the service.')
  })

  it('keeps several profiles, of which one is in use', async () => {
    await login()
    await login(['--profile', 'staging'], { org_id: 'other' })
    const known = async () => JSON.parse((await runCli(['profiles', '--json'], { env: home() })).out)
    expect(
      (await known()).map(({ profile, current }: Record<string, unknown>) => [profile, current]),
    ).to.deep.equal([
      ['default', false],
      ['staging', true],
    ])
    const orgOf = async (...argv: string[]) =>
      JSON.parse((await runCli(['explain', '--json', ...argv], { env: home() })).out).context.orgId
    expect(await orgOf()).to.equal('other')
    expect(await orgOf('--profile', 'default')).to.equal('org-1')
    expect((await runCli(['profiles', 'default'], { env: home() })).out).to.match(
      /^→ {2}default .*\n {3}staging /,
    )
    expect(await orgOf()).to.equal('org-1')
    expect((await runCli(['logout', 'staging'], { env: home() })).code).to.equal(0)
    expect(await known()).to.have.length(1)
    expect((await runCli(['logout', 'staging'], { env: home() })).err).to.contain('no profile "staging"')
  })

  it('lets the environment go before the profile, but sends its token to no other address', async () => {
    await login()
    const env = { ...home(), CHAT_URL: 'http://127.0.0.1:1' }
    expect(await runCli(['status'], { env })).to.deep.include({ code: 2 })
    expect((await runCli(['status', '--url', 'http://127.0.0.1:1'], { env: home() })).err).to.match(
      /^CHAT_TOKEN is not set/,
    )
    const own = { ...home(), CHAT_URL: edge.url, CHAT_TOKEN: await edgeToken({ org_id: 'mine' }) }
    const { out } = await runCli(['explain', '--json'], { env: own })
    expect(JSON.parse(out).context.orgId).to.equal('mine')
  })

  it('uses no file that others can read, or that is another thing', async () => {
    await login()
    chmodSync(file(), 0o644)
    const open = await runCli(['status'], { env: home() })
    expect([open.code, open.err]).to.deep.equal([
      2,
      `Others can read the tokens in ${file()}. Close it: chmod 600 ${file()}\n`,
    ])
    writeFileSync(file(), '{"profiles": 3}')
    expect((await runCli(['status'], { env: home() })).err).to.contain(
      'is not a configuration of this command',
    )
    expect(readFileSync(file(), 'utf8')).to.equal('{"profiles": 3}')
  })
})

describe('chat-cutover completion', () => {
  const directory = temporaryDirectory()

  /** What bash would offer behind these words. */
  async function offered(...words: string[]): Promise<string[]> {
    const { out } = await runCli(['completion', 'bash'])
    const all = ['chat-cutover', ...words]
    const list = all.map((word) => `'${word}'`).join(' ')
    const script = `${out}\nCOMP_WORDS=(${list}); COMP_CWORD=${all.length - 1}; _chat_cutover; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr, status } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
    expect([status, stderr]).to.deep.equal([0, ''])
    return stdout.trim().split('\n')
  }

  it('bash: commands, subcommands and options', async () => {
    expect(await offered('st')).to.deep.equal(['status'])
    expect(await offered('')).to.include.members(['status', 'fallback', 'flags', 'baseline'])
    expect(await offered('fallback', '')).to.have.members(['trigger', 'reset', 'history'])
    expect(await offered('fallback', 'trigger', '--t')).to.have.members(['--ttl', '--timeout'])
    expect(await offered('fallback', 'trigger', '--ttl', '5', '--r')).to.deep.equal(['--reason'])
    expect(await offered('baseline', '--f')).to.deep.equal(['--from'])
  })

  function skipWithoutShell(test: Context, shell: string): void {
    if (spawnSync(shell, ['--version']).status === 0) return
    console.log(`      skipped: no ${shell} on this machine`)
    test.skip()
  }

  for (const shell of ['zsh', 'fish'])
    it(`${shell}: names every command and option`, async function () {
      const { code, out } = await runCli(['completion', shell, '--lang', 'zh-CN'])
      expect(code).to.equal(0)
      for (const { words } of COMMANDS) for (const word of words) expect(out).to.contain(word)
      expect(out).to.contain('dry-run')
      // From a file: fish reads no script from the socket that a child's input is.
      writeFileSync(directory.path(shell), out)
      skipWithoutShell(this, shell)
      const { status, stderr } = spawnSync(shell, ['-n', directory.path(shell)], { encoding: 'utf8' })
      expect(status, stderr).to.equal(0)
    })

  it('fish: commands, subcommands and options', async function () {
    // Only fish itself can say what it would offer.
    skipWithoutShell(this, 'fish')
    const { out } = await runCli(['completion', 'fish'])
    const offers = (line: string): string[] => {
      const script = `${out}\ncomplete -C '${line}'`
      const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], { encoding: 'utf8' })
      expect(stderr).to.equal('')
      return stdout.split('\n').map((offer) => offer.split('\t')[0] ?? '')
    }
    expect(offers('chat-cutover st')).to.include('status')
    expect(offers('chat-cutover fallback ')).to.include.members(['trigger', 'reset', 'history'])
    expect(offers('chat-cutover fallback trigger --t')).to.include.members(['--ttl', '--timeout'])
  })

  it('knows no other shell', async () => {
    expect(await runCli(['completion', 'cmd'])).to.include({ code: 2 })
  })
})

describe('chat-cutover shadow report', () => {
  it('has words in both languages for each reason of a dropped shadow', () => {
    for (const reason of SHADOW_DROP_REASONS) {
      expect(shadowDropsText({ [reason]: 2, none: 0 }, 'en')).to.match(/^2 \([a-z ,]+: 2\)$/i)
      expect(shadowDropsText({ [reason]: 2, none: 0 }, 'zh-CN')).to.match(/^2（.*[\u4e00-\u9fff].* 2）$/)
    }
  })

  it('tells the report as a table and as it came', async () => {
    const edge = await startEdge()
    const env = await operatorEnv(edge)
    const at = Date.now() - 60_000
    for (let time = 0; time < 5; time += 1) edge.journal.keepComparison(sampleComparison({ at }))
    const { code, out } = await runCli(['shadow', 'report', '--control', 'direct_llm'], { env })
    expect(code).to.equal(0)
    expect(out).to.match(/^direct LLM → runtime {2}20.* pairs\n\n[^\n]+\n/)
    expect(out).to.match(/\nsuccess_rate +\S+ +\S+ +\S/)
    expect(out).not.to.contain('No shadow')
    expect(out).to.contain('; dropped: 0;')
    for (const reason of ['sick', 'sick', 'busy', 'later'])
      edge.journal.keepDrop(sampleDrop({ at, reason: reason as ShadowDropReason }))
    const words = ['shadow', 'report', '--control', 'direct_llm', '--lang']
    expect((await runCli([...words, 'en'], { env })).out)
      .to.contain('; dropped: 4 (')
      .and.to.contain('a fallback, or the control failed too often: 2')
      .and.to.contain('too many shadows at a time: 1')
      .and.to.contain('later: 1')
    expect((await runCli([...words, 'zh-CN'], { env })).out).to.contain('正在回退或对照错误过多 2')
    const before = ['--from', '2026-01-01', '--to', '2026-01-02']
    expect((await runCli(['shadow', 'report', ...before], { env })).out).to.match(
      /\nNo shadow ran in this span\. .*: chat-cutover shadow set 10\n$/,
    )
    const json = await runCli(['shadow', 'report', '--json'], { env })
    expect(shadowReportSchema.safeParse(JSON.parse(json.out)).success).to.equal(true)
    expect((await runCli(['shadow', 'report', '--control', 'x'], { env })).code).to.equal(2)
    expect((await runCli(['shadow', 'report', '--from', 'monday'], { env })).err).to.contain(
      '400 bad_request',
    )
    await edge.close()
  })
})

describe('chat-cutover shadow pairs', () => {
  it('lists pairs by the ids of their turns, those that differ most first', async () => {
    const edge = await startEdge()
    const env = await operatorEnv(edge)
    expect((await runCli(['shadow', 'pairs'], { env })).out).to.equal('No pairs in this span.\n')
    const at = Date.now() - 60_000
    edge.journal.keepComparison(sampleComparison({ at, sessionId: 's-1', messageId: 'alike' }))
    edge.journal.keepComparison(
      sampleComparison({ at: at - 1, sessionId: 's-2', messageId: 'unlike', textSimilarity: 0 }),
    )
    const rows = async (...more: string[]): Promise<(string | undefined)[]> => {
      const { code, out } = await runCli(['shadow', 'pairs', ...more], { env })
      expect(code).to.equal(0)
      return out.split('\n').map((line) => /alike|unlike/.exec(line)?.[0])
    }
    expect((await rows()).slice(1, 3)).to.deep.equal(['unlike', 'alike'])
    expect((await rows('--sort', 'newest')).slice(1, 3)).to.deep.equal(['alike', 'unlike'])
    expect((await rows('--limit', '1')).slice(1)).to.deep.equal(['unlike', undefined])
    const json = await runCli(['shadow', 'pairs', '--json'], { env })
    expect(shadowPairsSchema.parse(JSON.parse(json.out)).pairs).to.have.length(2)
    for (const wrong of [
      ['--sort', 'worst'],
      ['--control', 'x'],
      ['--limit', '101'],
    ])
      expect((await runCli(['shadow', 'pairs', ...wrong], { env })).code, wrong.join(' ')).to.equal(2)
    await edge.close()
  })
})

describe('every command of chat-cutover', () => {
  for (const command of COMMANDS)
    for (const lang of ['en', 'zh-CN'])
      it(`explains itself: ${command.words.join(' ')} in ${lang}`, async () => {
        const { code, out, err } = await runCli([...command.words, '--help', '--lang', lang])
        expect([code, err]).to.deep.equal([0, ''])
        expect(out)
          .to.contain(`chat-cutover ${command.words.join(' ')}`)
          .and.to.contain('Exit code: 0')
        if ('runWords' in command) return
        // A long summary goes on in the next line.
        expect(out.replaceAll('\n', ' '))
          .to.contain(command.summary[lang as 'en'])
          .and.to.contain('--json')
        for (const example of (await command.load()).examples) {
          expect(out).to.contain(`chat-cutover ${example}`)
          expect(example).to.contain(command.words.join(' '))
        }
      })

  it('is in the help, in both languages', async () => {
    for (const lang of ['en', 'zh-CN']) {
      const { out } = await runCli(['--lang', lang, '--help'])
      for (const { words, summary } of COMMANDS)
        expect(out)
          .to.contain(`\n  ${words.join(' ')} `)
          .and.to.contain(summary[lang as 'en'])
    }
  })
})
