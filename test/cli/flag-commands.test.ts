import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { createFlags } from '../../src/decision/open-feature-flags.js'
import { flagEditAnswerSchema, flagEditPreviewSchema, flagsViewSchema } from '../../src/protocol/flag-edit.js'
import { createOpsFile } from '../../src/store/file/ops-file.js'
import type { OpsFile } from '../../src/store/flag-store.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { operatorEnv, runCli } from '../support/cli.js'
import { startEdge } from '../support/edge.js'
import { CODE_DEFAULTS, flagsConfig, overrideDocument, saveByRename } from '../support/flag-files.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const SHIPPED = readFileSync('flags/chat.flagd.json', 'utf8')

describe('the flag commands of chat-cutover', () => {
  const directory = temporaryDirectory()
  const opened: (() => Promise<unknown>)[] = []
  let env: Record<string, string>
  /** what somebody else does right before a write of ours */
  let meanwhile: (() => void) | undefined

  const file = () => directory.path('chat.flagd.json')
  const text = () => readFileSync(file(), 'utf8')

  beforeEach(async () => {
    meanwhile = undefined
    writeFileSync(file(), SHIPPED)
    writeFileSync(directory.path('auto.flagd.json'), overrideDocument('off'))
    const config = flagsConfig(file(), directory.path('auto.flagd.json'))
    const { logger } = capturingLogger()
    const flags = createFlags(config, CODE_DEFAULTS, { clock: systemClock, logger })
    await flags.start()
    const real = createOpsFile(file(), { clock: systemClock, nonce: 'r' })
    const opsFile: OpsFile = {
      ...real,
      read: () => real.read(),
      write(...edit) {
        meanwhile?.()
        meanwhile = undefined
        return real.write(...edit)
      },
    }
    const edge = await startEdge({ realFlags: flags, opsFile })
    opened.push(
      () => real.close(),
      () => flags.close(),
      () => edge.close(),
    )
    env = await operatorEnv(edge)
  })
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close()
  })

  const well = async (...argv: string[]): Promise<string> => {
    const { code, out, err } = await runCli(argv, { env })
    expect([code, err], argv.join(' ')).to.deep.equal([0, ''])
    return out
  }
  const wrong = async (code: number, ...argv: string[]): Promise<string> => {
    const said = await runCli(argv, { env })
    expect([said.code, said.out], argv.join(' ')).to.deep.equal([code, ''])
    return said.err
  }

  it('mode set and mode get', async () => {
    const out = await well('mode', 'set', 'runtime')
    expect(out).to.match(
      /^Written and in force:\n {2}flags\.chat-execution-mode\.defaultVariant: .* → "runtime_orchestrator"\n/,
    )
    expect(await well('mode', 'set', 'runtime_orchestrator')).to.equal(
      'Nothing to change: the flags already say so.\n',
    )
    expect(await well('mode', 'get')).to.match(/^Mode +runtime\n/)
    await well('mode', 'set', 'direct')
    expect(JSON.parse(await well('mode', 'get', '--json'))).to.have.property('value', 'direct_llm')
    await well('mode', 'set', 'environment')
    expect(await well('mode', 'get')).to.match(/^Mode +CHAT_EXECUTION_MODE and /)
    expect(await wrong(2, 'mode', 'set', 'fast')).to.match(/no mode "fast".*runtime_orchestrator/)
    expect(await wrong(2, 'mode', 'set')).to.match(/missing required argument 'mode'/)
  })

  it('--dry-run shows the diff, and writes nothing', async () => {
    const out = await well('mode', 'set', 'direct_llm', '--dry-run')
    expect(out).to.match(
      /\n-.*"defaultVariant"[\s\S]*\n\+.*"defaultVariant": "direct_llm"[\s\S]*Nothing was written\.\n$/,
    )
    const preview = JSON.parse(await well('canary', 'set', '5', '--dry-run', '--json'))
    expect(flagEditPreviewSchema.parse(preview).values.mode.canaryPercent).to.equal(5)
    expect(text()).to.equal(SHIPPED)
    await well('canary', 'set', '5')
    expect(await well('canary', 'set', '5', '--dry-run')).to.match(/^Nothing would change/)
  })

  it('--dry-run writes nothing on a service that does not know it', async () => {
    const seen: (string | undefined)[] = []
    const old = createServer((request, response) => {
      seen.push(request.headers['if-match'])
      response.writeHead(428, { 'content-type': 'application/json' })
      response.end(
        '{"success":false,"error":{"code":"precondition_required","message":"If-Match is missing"}}',
      )
    }).listen(0, '127.0.0.1')
    await once(old, 'listening')
    const url = `http://127.0.0.1:${(old.address() as AddressInfo).port}`
    const { code, err } = await runCli(['canary', 'set', '5', '--dry-run'], {
      env: { ...env, CHAT_URL: url },
    })
    old.close()
    old.closeAllConnections()
    expect([code, seen]).to.deep.equal([1, [undefined]])
    expect(err).to.match(/older version.*Nothing was written/)
  })

  it('that show values say that a provider has the flags, not that its module cannot be read', async () => {
    const view = flagsViewSchema.parse({
      resolver: 'provider',
      state: 'ready',
      faults: [],
      ops: { file: './provider.mjs', values: null, fault: null },
      environment: { mode: 'direct_llm', enabledOrgs: [], shadowPercent: 0, errorRate: 0.5 },
    })
    const service = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ success: true, data: view }))
    }).listen(0, '127.0.0.1')
    await once(service, 'listening')
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
    for (const command of [
      ['mode', 'get'],
      ['orgs', 'list'],
      ['guardrails', 'get'],
      ['limits', 'get'],
    ])
      expect(await runCli(command, { env: { ...env, CHAT_URL: url } })).to.deep.equal({
        code: 1,
        out: '',
        err: "The operators' flags are in the provider of ./provider.mjs, and this service cannot read them. chat-cutover explain shows what a caller gets\n",
      })
    service.close()
    service.closeAllConnections()
  })

  it('limits set and limits get', async () => {
    const set = await well('limits', 'set', 'streamsPerOrg=200', 'weights.acme=3')
    expect(set).to.match(/standard\.streamsPerOrg: null → 200\n.*weights\.acme: \(nothing\) → 3\n/)
    const shown = await well('limits', 'get')
    expect(shown).to.match(/^maxStreams +CHAT_MAX_STREAMS +null\n/)
    expect(shown)
      .to.match(/streamsPerOrg +file +200\n/)
      .and.to.match(/streamsPerUser +no limit +null\n/)
    expect(shown).to.match(/weights\.acme +file +3\n/)
    expect(JSON.parse(await well('limits', 'get', '--json'))).to.have.nested.property('file.weights.acme', 3)
    // The id of an org may have dots; the edit keeps it whole.
    expect(await well('limits', 'set', 'weights.acme.example=2', '--dry-run')).to.match(
      /\+.*"acme\.example": 2/,
    )
    expect(await wrong(1, 'limits', 'set', 'streamsPerOrg=-1')).to.match(/streamsPerOrg/)
    expect(await wrong(2, 'limits', 'set', 'streamsPerOrg')).to.match(/Not name=value/)
  })

  it('refuse a name that there is not, `__proto__` among them', async () => {
    for (const flag of ['limits', 'guardrails'])
      for (const name of ['nope', '__proto__', '__proto__.a', 'constructor'])
        for (const how of [[], ['--dry-run']])
          expect(await wrong(1, flag, 'set', `${name}=3`, ...how)).to.match(
            new RegExp(`refused[\\s\\S]*\\b${name.split('.')[0]}\\b.*is not a (known )?field`),
          )
    expect(text()).to.equal(SHIPPED)
  })

  it('orgs add takes several orgs also with commas or blanks, and orgs remove what a hand wrote like that', async () => {
    expect(await well('orgs', 'add', 'acme,globex', 'a b')).to.match(/: \+acme \+globex \+a \+b\n/)
    expect(await well('orgs', 'remove', 'acme, globex', 'a', 'b')).to.match(/: -acme -globex -a -b\n/)
    saveByRename(
      file(),
      text().replace(/"in": \[\{ "var": "orgId" \}, \[\]\]/, `"in": [{ "var": "orgId" }, ["acme,globex"]]`),
    )
    expect(await well('orgs', 'remove', 'acme,globex')).to.match(/: -acme,globex\n/)
  })

  it('orgs add, remove and list', async () => {
    expect(await well('orgs', 'add', 'acme', 'globex')).to.match(/: \+acme \+globex\n/)
    expect(await well('orgs', 'list')).to.equal('acme\nglobex\n')
    expect(await well('orgs', 'remove', 'acme')).to.match(/: -acme\n/)
    expect(JSON.parse(await well('orgs', 'list', '--json'))).to.deep.equal(['globex'])
  })

  it('orgs add is made once more where somebody else was faster, and takes nothing back', async () => {
    meanwhile = () => saveByRename(file(), text().replace('"minSamples": 10', '"minSamples": 11'))
    await well('orgs', 'add', 'acme')
    expect(text()).to.contain('"minSamples": 11').and.to.contain('"acme"')
  })

  it('what would take an edit of somebody else back is not made', async () => {
    meanwhile = () => saveByRename(file(), text().replace('"minSamples": 10', '"minSamples": 11'))
    expect(await wrong(1, 'mode', 'set', 'runtime')).to.match(/412 precondition_failed[\s\S]*flags show/)
    expect(text()).not.to.contain('"defaultVariant": "runtime_orchestrator"')
  })

  it('canary set and shadow set', async () => {
    await well('canary', 'set', '5%')
    await well('shadow', 'set', '10')
    const { ops } = flagsViewSchema.parse(JSON.parse(await well('flags', 'show', '--json')))
    expect(ops.values?.mode.canaryPercent).to.equal(5)
    expect(ops.values?.shadow.percent).to.equal(10)
    await well('shadow', 'set', 'environment')
    expect(await well('flags', 'show')).to.match(/\nCanary +5%\nShadow +the environment decides\n/)
    for (const share of ['101', 'x', '1.5'])
      expect(await wrong(2, 'canary', 'set', share)).to.contain('must be a whole number from 0 to 100')
  })

  it('policy set', async () => {
    const answer = JSON.parse(await well('policy', 'set', 'observe', '--json'))
    expect(flagEditAnswerSchema.parse(answer).values.fallbackPolicy).to.equal('observe')
    expect(await wrong(2, 'policy', 'set', 'never')).to.contain('auto, observe, off')
  })

  it('guardrails set and get', async () => {
    await well('guardrails', 'set', 'minSamples=20', 'errorRate=0.4', 'llm.gapMs=90000', 'llm.connectMs=5000')
    const lines = (await well('guardrails', 'get')).split('\n').map((line) => line.split(/ {2,}/))
    expect(lines).to.deep.include.members([
      ['minSamples', 'file', '20'],
      ['errorRate', 'file', '0.4'],
      ['llm.gapMs', 'file', '90000'],
      ['totalMs', 'CHAT_RUNTIME_TIMEOUT_THRESHOLD_MS', 'null'],
    ])
    expect(await well('guardrails', 'get', 'llm')).to.match(
      /^llm\.connectMs +file +5000\nllm\.headersMs +\w+ +\d+\n/,
    )
    expect(JSON.parse(await well('guardrails', 'get', '--json')).file).to.include({ minSamples: 20 })
    expect(await wrong(1, 'guardrails', 'set', 'errorRate=7')).to.match(/422 unprocessable[\s\S]*errorRate/)
    expect(await wrong(2, 'guardrails', 'set', 'errorRate')).to.match(/^Not name=value: errorRate/)
    expect(await wrong(1, 'guardrails', 'get', 'nothing')).to.match(/no such guardrail/)
  })

  it('flags show ends with 1 where there are faults', async () => {
    expect(await well('flags', 'show')).to.match(/\nFlags +ready \(file, /)
    saveByRename(file(), '{')
    const { code, out } = await runCli(['flags', 'show'], { env })
    expect(code).to.equal(1)
    expect(out).to.match(/\nFault +line 1: /)
    expect(await wrong(1, 'orgs', 'list')).to.contain('chat-cutover flags validate')
  })

  it('flags history tells who edited what', async () => {
    expect(await well('flags', 'history')).to.equal('Nothing yet.\n')
    await well('orgs', 'add', 'acme')
    expect(await well('flags', 'history')).to.match(
      /^\d+ {2}20\S+ \S+Z {2}user-1 \(org-1\)\n[\s\S]*: \+acme\n/,
    )
    expect(JSON.parse(await well('flags', 'history', '--json', '--limit', '1'))).to.have.length(1)
  })

  it('flags diff says why a file cannot be read, and where to see the place in one that is no JSON', async () => {
    const none = directory.path('none.json')
    expect(await wrong(2, 'flags', 'diff', file(), none)).to.equal(
      `${none} cannot be read: ENOENT (there is no such file)\n`,
    )
    const torn = directory.path('torn.json')
    writeFileSync(torn, '{')
    expect(await wrong(2, 'flags', 'diff', torn, file())).to.match(
      /torn\.json cannot be read: .*\. See the place: chat-cutover flags validate .*torn\.json\n$/,
    )
  })

  it('flags diff tells values, not forms', async () => {
    const other = directory.path('other.json')
    writeFileSync(other, JSON.stringify(JSON.parse(SHIPPED)))
    const setting = { env: { CHAT_FLAGS_FILE: file() } }
    expect(await runCli(['flags', 'diff', other], setting)).to.deep.equal({
      code: 0,
      out: 'They say the same.\n',
      err: '',
    })
    writeFileSync(other, SHIPPED.replace('"minSamples": 10', '"minSamples": 12'))
    const { code, out } = await runCli(['flags', 'diff', file(), other])
    expect(code).to.equal(1)
    expect(out).to.match(/\.minSamples: 10 → 12\n$/)
    const json = await runCli(['flags', 'diff', other, '--json'], setting)
    expect(JSON.parse(json.out).changes).to.have.length(1)
    expect(await wrong(2, 'flags', 'diff', directory.path('none'))).to.match(/ENOENT/)
  })
})
