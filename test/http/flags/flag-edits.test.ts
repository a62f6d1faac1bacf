import {
  chmodSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import type { Flags } from '../../../src/decision/flags.js'
import { createFlags } from '../../../src/decision/open-feature-flags.js'
import { flagsEventSchema } from '../../../src/protocol/fallback.js'
import {
  type FlagsView,
  flagEditAnswerSchema,
  flagEditPreviewSchema,
  flagsViewSchema,
} from '../../../src/protocol/flag-edit.js'
import { flagEditEntrySchema } from '../../../src/protocol/flag-edit-record.js'
import { createOpsFile } from '../../../src/store/file/ops-file.js'
import type { OpsFile } from '../../../src/store/flag-store.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { sampleExecution } from '../../support/comparisons.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import {
  CODE_DEFAULTS,
  callerOf,
  flagsConfig,
  overrideDocument,
  saveByRename,
} from '../../support/flag-files.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'

const SHIPPED = readFileSync('flags/chat.flagd.json', 'utf8')
const TORN = '{\n  "flags": {\n    "chat-execution-mode": {'

/** Nobody tells the edge of the edit, which waits two seconds for that. */
async function twoSecondsAfter(clock: ManualClock, what: string, holds: () => boolean): Promise<void> {
  await until(what, holds)
  await until('the answer to wait', () => clock.pending() > 0)
  clock.advance(2_000)
}

describe('PATCH /runtime/flags', () => {
  const directory = temporaryDirectory()
  const opened: (() => Promise<unknown>)[] = []

  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close()
  })

  const file = () => directory.path('chat.flagd.json')
  const text = () => readFileSync(file(), 'utf8')

  function opsFile(path = file(), options: Partial<Parameters<typeof createOpsFile>[1]> = {}): OpsFile {
    const store = createOpsFile(path, { clock: systemClock, nonce: `r-${opened.length}`, ...options })
    opened.push(() => store.close())
    return store
  }

  /** One replica on the real files. */
  async function replica(options: EdgeOptions & { path?: string } = {}): Promise<Edge & { flags: Flags }> {
    const path = options.path ?? file()
    writeFileSync(directory.path('auto.flagd.json'), overrideDocument('off'))
    const config = flagsConfig(path, directory.path('auto.flagd.json'))
    const { logger } = capturingLogger()
    const flags = createFlags(config, CODE_DEFAULTS, { clock: systemClock, logger })
    await flags.start()
    const edge = await startEdge({ realFlags: flags, opsFile: opsFile(path), ...options })
    opened.push(
      () => flags.close(),
      () => edge.close(),
    )
    return Object.assign(edge, { flags })
  }

  const call = async (
    edge: Edge,
    method: string,
    body?: unknown,
    headers: Record<string, string> = {},
    more = '',
  ) =>
    fetch(`${edge.url}/api/v1/runtime/flags${more}`, {
      method,
      headers: {
        authorization: await bearer({ role: 'admin' }),
        'accept-language': 'en',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })

  async function read(edge: Edge): Promise<{ view: FlagsView; etag: string }> {
    const response = await call(edge, 'GET')
    return { view: flagsViewSchema.parse(await dataOf(response)), etag: response.headers.get('etag') ?? '' }
  }

  const patch = (edge: Edge, body: unknown, etag?: string) =>
    call(edge, 'PATCH', body, etag === undefined ? {} : { 'if-match': etag })

  const answerOf = async (response: Response) => flagEditAnswerSchema.parse(await dataOf(response))

  it('changes the lines of the edit alone, and the next turn is decided by it', async () => {
    writeFileSync(file(), SHIPPED)
    const edge = await replica()
    const { view, etag } = await read(edge)
    expect(view.ops.values?.mode).to.deep.equal({ value: null, enabledOrgs: [], canaryPercent: 0 })
    const response = await patch(edge, { mode: 'runtime_orchestrator' }, etag)
    const answer = await answerOf(response)
    expect((await edge.flags.forTurn(callerOf(1))).mode.value).to.equal('runtime_orchestrator')
    expect(answer).to.deep.include({
      changes: [
        { path: 'flags.chat-execution-mode.defaultVariant', before: null, after: 'runtime_orchestrator' },
      ],
      inForce: true,
      note: '',
    })
    expect(answer.values.mode.value).to.equal('runtime_orchestrator')
    expect(text()).to.equal(
      SHIPPED.replace('"defaultVariant": null', '"defaultVariant": "runtime_orchestrator"'),
    )
    expect(response.headers.get('etag')).to.equal(answer.etag)
    expect((await read(edge)).view.ops.values?.mode.value).to.equal('runtime_orchestrator')
    const next = await answerOf(await patch(edge, { canaryPercent: 5 }, answer.etag))
    expect(next.values.mode.canaryPercent).to.equal(5)
  })

  it('keeps who changed what, and tells it live', async () => {
    writeFileSync(file(), SHIPPED)
    const edge = await replica()
    const leave = new AbortController()
    const stream = await fetch(`${edge.url}/api/v1/runtime/events`, {
      headers: { authorization: await bearer({ role: 'admin' }) },
      signal: leave.signal,
    })
    let events = ''
    const reading = (async () => {
      for await (const chunk of stream.body ?? []) events += Buffer.from(chunk).toString()
    })().catch(() => undefined)
    const { etag } = await read(edge)
    const first = await answerOf(
      await patch(edge, { mode: 'direct_llm', enabledOrgs: { add: ['acme'] } }, etag),
    )
    await answerOf(await patch(edge, { mode: 'direct_llm' }, '*'))
    await answerOf(await patch(edge, { enabledOrgs: { set: ['b'] } }, first.etag))
    const history = flagEditEntrySchema
      .array()
      .parse(await dataOf(await call(edge, 'GET', undefined, {}, '/history')))
    expect(
      history.map(({ id, userId, orgId, replica, changes }) => [id, userId, orgId, replica, changes]),
    ).to.deep.equal([
      [
        2,
        'user-1',
        'org-1',
        'replica-1',
        [{ path: '$evaluators.runtime-enabled-orgs.in.1', added: ['b'], removed: ['acme'] }],
      ],
      [
        1,
        'user-1',
        'org-1',
        'replica-1',
        [
          { path: '$evaluators.runtime-enabled-orgs.in.1', added: ['acme'], removed: [] },
          { path: 'flags.chat-execution-mode.defaultVariant', before: null, after: 'direct_llm' },
        ],
      ],
    ])
    expect(history[0]?.fromContent).to.equal(history[1]?.toContent)
    expect(etag).to.include(history[1]?.fromContent)
    expect(
      (await call(edge, 'GET', undefined, { authorization: await bearer() }, '/history')).status,
    ).to.equal(403)
    expect(
      flagEditEntrySchema
        .array()
        .parse(await dataOf(await call(edge, 'GET', undefined, {}, '/history?limit=1&before=2')))[0]?.id,
    ).to.equal(1)

    const told = () =>
      [...events.matchAll(/event: ?flags\n(?:id: ?\d+\n)?data: ?(.*)\n/g)].map(([, data = '']) =>
        flagsEventSchema.parse(JSON.parse(data)),
      )
    await until('the event', () => told().some(({ edit }) => edit?.toContent === history[0]?.toContent))
    expect(told().find(({ edit }) => edit !== undefined)).to.deep.include({ flags: ['chat-execution-mode'] })
    leave.abort()
    await reading
  })

  it('shows beforehand the lines and how many sessions of the last day would change sides, as they then do', async () => {
    writeFileSync(file(), SHIPPED)
    const edge = await replica()
    const callers = Array.from({ length: 400 }, (_, at) => callerOf(at, at % 4 === 0 ? 'acme' : 'other'))
    const now = Date.now()
    for (const { orgId, sessionId, agentId } of callers)
      for (const at of [now - 1_000, now - 2_000])
        edge.journal.keepExecution(sampleExecution({ at, orgId, sessionId, agentId }))
    edge.journal.keepExecution(sampleExecution({ at: now - 90_000_000, sessionId: 'of the day before' }))
    edge.journal.keepExecution(sampleExecution({ at: now - 5_000 }))
    const modes = async () =>
      Promise.all(callers.map(async (caller) => (await edge.flags.forTurn(caller)).mode.value))
    const before = await modes()
    const edit = { enabledOrgs: { add: ['acme'] }, canaryPercent: 20 }
    const response = await call(edge, 'PATCH', edit, {}, '?dryRun=true')
    const preview = flagEditPreviewSchema.parse(await dataOf(response))
    expect(text()).to.equal(SHIPPED)
    expect(preview.diff)
      .to.include('--- chat.flagd.json\n')
      .and.to.include('+      "in": [{ "var": "orgId" }, ["acme"]]\n')
    expect(preview.changes.length).to.be.greaterThan(0)
    expect(preview.values.mode.canaryPercent).to.equal(20)

    await answerOf(await patch(edge, edit, preview.etag))
    const after = await modes()
    const changed = after.filter((mode, at) => mode !== before[at]).length
    expect(changed).to.be.within(120, 220)
    expect(preview.effect).to.deep.include({
      sessions: 400,
      toRuntime: changed,
      toDirect: 0,
      unknown: 1,
      more: false,
      withoutUser: false,
      sentence: `Of 400 sessions of the last 24 hours ${changed} would go to the runtime and 0 to the direct LLM; 1 execution is left out, because its session is not known`,
    })
    const back = flagEditPreviewSchema.parse(
      await dataOf(
        await call(edge, 'PATCH', { canaryPercent: 0, enabledOrgs: { set: [] } }, {}, '?dryRun=true'),
      ),
    )
    expect(back.effect).to.deep.include({ toRuntime: 0, toDirect: changed })
    expect((await patch(edge, edit, preview.etag)).status).to.equal(412)
  })

  it('counts sessions of the guarded rollout where they are, and an edit that ends it', async () => {
    writeFileSync(file(), SHIPPED)
    const edge = await replica()
    edge.rollout.own = { on: true }
    const callers = Array.from({ length: 100 }, (_, at) => callerOf(at, at % 4 === 0 ? 'acme' : 'other'))
    for (const { orgId, sessionId, agentId } of callers)
      edge.journal.keepExecution(sampleExecution({ at: Date.now() - 1_000, orgId, sessionId, agentId }))
    const moved = async (edit: object) => {
      const response = await call(edge, 'PATCH', edit, {}, '?dryRun=true')
      const { effect } = flagEditPreviewSchema.parse(await dataOf(response))
      return [effect?.toRuntime, effect?.toDirect]
    }
    expect(await moved({ mode: 'runtime_orchestrator' })).to.deep.equal([0, 0])
    expect(await moved({ enabledOrgs: { add: ['acme'] } })).to.deep.equal([0, 0])
    const [toRuntime, toDirect] = await moved({ canaryPercent: 20 })
    expect(toRuntime).to.equal(0)
    expect(toDirect).to.be.within(60, 95)
  })

  it('shows an edit also without a journal, and refuses one as it would be refused', async () => {
    writeFileSync(file(), SHIPPED)
    const edge = await replica()
    edge.journal.available = false
    const dry = (body: unknown, headers = {}) => call(edge, 'PATCH', body, headers, '?dryRun=true')
    const preview = flagEditPreviewSchema.parse(await dataOf(await dry({ mode: 'direct_llm' })))
    expect(preview.effect).to.equal(null)
    expect(preview.diff).to.include('+      "defaultVariant": "direct_llm"')
    const nothing = flagEditPreviewSchema.parse(await dataOf(await dry({ fallbackPolicy: 'auto' })))
    expect([nothing.diff, nothing.changes]).to.deep.equal(['', []])
    expect((await dry({ guardrails: { timeoutRate: 7 } })).status).to.equal(422)
    expect((await dry({ mode: 'direct_llm' }, { 'if-match': '"0"' })).status).to.equal(412)
    expect((await call(edge, 'PATCH', { mode: null }, { 'if-match': '*' }, '?dryRun=yes')).status).to.equal(
      400,
    )
    expect(text()).to.equal(SHIPPED)
  })

  it('says that it is an estimate where a rule asks for the user', async () => {
    const byUser = SHIPPED.replace(
      '{ "$ref": "runtime-enabled-orgs" }',
      '{ "==": [{ "var": "userId" }, "u"] }',
    )
    expect(byUser).not.to.equal(SHIPPED)
    writeFileSync(file(), byUser)
    const edge = await replica()
    const preview = flagEditPreviewSchema.parse(
      await dataOf(await call(edge, 'PATCH', { mode: 'runtime_orchestrator' }, {}, '?dryRun=true')),
    )
    expect(preview.effect).to.deep.include({ withoutUser: true, sessions: 0 })
  })

  it('writes nothing where all is so already', async () => {
    writeFileSync(file(), SHIPPED)
    const edge = await replica()
    const before = statSync(file()).ino
    const answer = await answerOf(await patch(edge, { fallbackPolicy: 'auto' }, '*'))
    expect([answer.changes, answer.inForce, statSync(file()).ino]).to.deep.equal([[], true, before])
  })

  it('needs If-Match, by the content of the file alone', async () => {
    writeFileSync(file(), SHIPPED)
    const edge = await replica()
    const missing = await patch(edge, { mode: 'direct_llm' })
    expect([missing.status, (await errorOf(missing)).code]).to.deep.equal([428, 'precondition_required'])
    const stale = await patch(edge, { mode: 'direct_llm' }, '"0000.x"')
    expect([stale.status, (await errorOf(stale)).code]).to.deep.equal([412, 'precondition_failed'])
    expect(text()).to.equal(SHIPPED)

    const { etag } = await read(edge)
    // The override's file breaks: another answer, the same operators' file.
    saveByRename(directory.path('auto.flagd.json'), TORN)
    await until('another answer', async () => (await read(edge)).etag !== etag)
    expect((await call(edge, 'GET', undefined, { 'if-none-match': etag })).status).to.equal(200)
    expect((await patch(edge, { fallbackPolicy: 'off' }, `W/${etag}`)).status).to.equal(200)
  })

  it('refuses what it does not understand, and whom', async () => {
    writeFileSync(file(), SHIPPED)
    const edge = await replica()
    for (const body of [{}, { mode: 'both' }, { canaryPercent: 101 }, { colour: 1 }, { enabledOrgs: {} }]) {
      const response = await patch(edge, body, '*')
      expect([response.status, (await errorOf(response)).code], JSON.stringify(body)).to.deep.equal([
        400,
        'bad_request',
      ])
    }
    const member = await call(
      edge,
      'PATCH',
      { mode: null },
      { authorization: await bearer(), 'if-match': '*' },
    )
    expect(member.status).to.equal(403)
    edge.state = 'draining'
    const draining = await patch(edge, { mode: 'direct_llm' }, '*')
    expect([draining.status, draining.headers.get('retry-after')]).to.deep.equal([503, '1'])
    expect(text()).to.equal(SHIPPED)
  })

  it('refuses, with path and line, what the checks refuse', async () => {
    writeFileSync(file(), SHIPPED)
    const edge = await replica()
    const wrong = await patch(edge, { guardrails: { timeoutRate: 7 } }, '*')
    const { code, details = [] } = await errorOf(wrong)
    expect([wrong.status, code]).to.deep.equal([422, 'unprocessable'])
    const line = SHIPPED.split('\n').findIndex((each) => each.includes('"timeoutRate"')) + 1
    expect(details.join('\n'))
      .to.match(/timeoutRate/)
      .and.to.include(`(line ${line}): `)

    for (const [guardrails, said] of [
      [{ timeoutRate: 7 }, /: must be at most 1, not 7; did you mean 0\.07 for 7%\?$/],
      [{ errorRate: 'half' }, /errorRate \(line \d+\): must be a number, not a string$/],
      [{ minSamples: 1.5 }, /: must be a whole number, not 1\.5; did you mean 2\?$/],
      [{ probeFailures: 0 }, /: must be at least 1, not 0$/],
      [{ softFailures: 'x' }, /: must be an array, not a string$/],
    ] as const)
      expect((await errorOf(await patch(edge, { guardrails }, '*'))).details?.[0], said.source).to.match(said)

    const inChinese = async (body: unknown) =>
      (await errorOf(await call(edge, 'PATCH', body, { 'if-match': '*', 'accept-language': 'zh-CN' })))
        .details
    expect(await inChinese({ guardrails: { timeoutRate: 7 } })).to.deep.equal([
      `flags.chat-runtime-guardrails.variants.standard.timeoutRate（第 ${line} 行）: 不能大于 1，现为 7；是否应为 0.07（即 7%）？`,
    ])
    for (const [guardrails, said] of [
      [{ timeoutRate: '0.5' }, /: 必须是数字，而不是字符串；是否应为不带引号的 0\.5？$/],
      [{ latencyShare: 0 }, /: 必须大于 0，现为 0$/],
      [{ rampPercents: [50, 25, 100] }, /: 必须递增$/],
      [{ rampPercents: [] }, /: 不能为空/],
      [{ scoped: 1 }, /: 必须是 true 或 false，而不是数字$/],
      [
        { timoutRate: 0.5 },
        /: "timoutRate" 不是该标志在此版本中的字段，服务不会读取；是否应为 "timeoutRate"？$/,
      ],
    ] as const)
      expect((await inChinese({ guardrails }))?.[0], JSON.stringify(guardrails)).to.match(said)
    expect((await inChinese({ llmRoute: { endpoints: ['nowhere'] } }))?.join()).to.match(
      /没有以下名称的端点：nowhere/,
    )
    expect(await inChinese({ enabledOrgs: {} })).to.deep.equal([
      'enabledOrgs: 必须只有 set，或者只有 add 和 remove',
    ])
    expect(await inChinese({})).to.deep.equal(['请求体至少要有一个字段'])

    const route = await errorOf(await patch(edge, { llmRoute: { endpoints: ['nowhere'] } }, '*'))
    expect(route.details?.join()).to.include('no endpoint has these names: nowhere')
    expect(text()).to.equal(SHIPPED)

    writeFileSync(file(), TORN)
    const torn = await errorOf(await patch(edge, { mode: 'direct_llm' }, '*'))
    expect(torn.details?.join()).to.match(/line 3/)
    const { view } = await read(edge)
    expect(view.ops.values).to.equal(null)
    expect(view.ops.fault).to.match(/^line 3: not JSON/)
    expect(text()).to.equal(TORN)

    const bytes = Buffer.concat([Buffer.from(SHIPPED.replace('operations', 'op?s')), Buffer.from('\n')])
    bytes[bytes.indexOf('op?s') + 2] = 0xff
    writeFileSync(file(), bytes)
    expect((await patch(edge, { mode: 'direct_llm' }, '*')).status).to.equal(422)
    expect(readFileSync(file()).equals(bytes)).to.equal(true)
  })

  it('says where to edit where the file is not here, or cannot be written', async () => {
    const here = await replica()
    const missing = await patch(here, { mode: 'direct_llm' }, '*')
    const { code, details } = await errorOf(missing)
    expect([missing.status, code]).to.deep.equal([503, 'flags_unavailable'])
    expect(details?.join()).to.include('CHAT_FLAGS_FILE')

    const served = await startEdge({ status: { resolver: 'rpc' }, opsFile: opsFile() })
    opened.push(() => served.close())
    const elsewhere = await patch(served, { mode: 'direct_llm' }, '*')
    const told = await errorOf(elsewhere)
    expect([elsewhere.status, told.code]).to.deep.equal([409, 'flags_elsewhere'])
    expect(told.message).to.include('flagd')

    writeFileSync(file(), SHIPPED)
    const before = (step: string) => {
      if (step === 'temp_open') throw Object.assign(new Error('EROFS'), { code: 'EROFS' })
    }
    const readOnly = await startEdge({ opsFile: opsFile(file(), { faults: { before } }) })
    opened.push(() => readOnly.close())
    const refused = await patch(readOnly, { mode: 'direct_llm' }, '*')
    expect(refused.status).to.equal(503)
    expect((await errorOf(refused)).details?.join()).to.include(
      "the file system is read-only; give the operators' flags a directory",
    )
    expect(text()).to.equal(SHIPPED)
  })

  it('says so where the change is not in force here in time', async () => {
    writeFileSync(file(), SHIPPED)
    const clock = manualClock(Date.now())
    const edge = await startEdge({ opsFile: opsFile(), clock })
    opened.push(() => edge.close())
    const patched = patch(edge, { mode: 'direct_llm' }, '*')
    await twoSecondsAfter(clock, 'the edit to be in the file', () => text() !== SHIPPED)
    const answer = await answerOf(await patched)
    expect(answer.inForce).to.equal(false)
    expect(answer.note).to.include('It is written')
  })

  it('keeps mode and link of the file', async () => {
    mkdirSync(directory.path('real'))
    writeFileSync(directory.path('real', 'ops.json'), SHIPPED)
    chmodSync(directory.path('real', 'ops.json'), 0o640)
    symlinkSync(directory.path('real', 'ops.json'), directory.path('link.json'))
    const edge = await replica({ path: directory.path('link.json') })
    expect((await answerOf(await patch(edge, { mode: 'direct_llm' }, '*'))).inForce).to.equal(true)
    expect(realpathSync(directory.path('link.json'))).to.equal(
      realpathSync(directory.path('real', 'ops.json')),
    )
    expect(statSync(directory.path('real', 'ops.json')).mode & 0o777).to.equal(0o640)
  })

  it('loses no edit among several replicas: one tag serves once', async () => {
    writeFileSync(file(), SHIPPED)
    const replicas = [await replica(), await replica(), await replica()]
    const first = replicas[0] as Edge
    const { etag } = await read(first)
    const raced = await Promise.all(
      Array.from({ length: 12 }, (_, at) =>
        patch(replicas[at % 3] as Edge, { enabledOrgs: { add: [`once-${at}`] } }, etag),
      ),
    )
    const statuses = raced.map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).to.have.length(1)
    expect(statuses.filter((status) => status === 412)).to.have.length(11)
    const winner = `once-${statuses.indexOf(200)}`
    expect((await read(first)).view.ops.values?.mode.enabledOrgs).to.deep.equal([winner])

    // Each reads and tries until it is in, as a command line does.
    const add = async (edge: Edge, org: string): Promise<void> => {
      for (;;) {
        const { etag: tag } = await read(edge)
        const { status } = await patch(edge, { enabledOrgs: { add: [org] } }, tag)
        if (status === 200) return
        expect(status).to.equal(412)
      }
    }
    const orgs = Array.from({ length: 9 }, (_, at) => `org-${at}`)
    await Promise.all(orgs.map((org, at) => add(replicas[at % 3] as Edge, org)))
    const { view } = await read(first)
    expect(view.ops.values?.mode.enabledOrgs).to.have.members([winner, ...orgs])
  })

  it('never overwrites an editor who saves in between', async () => {
    writeFileSync(file(), SHIPPED)
    const byHand = SHIPPED.replace('"owner": "operations"', '"owner": "by hand"')
    let saved = false
    const before = (step: string) => {
      // After the temporary file is written, before the last look.
      if (step !== 'check' || saved) return
      saved = true
      saveByRename(file(), byHand)
    }
    const clock = manualClock(Date.now())
    const edge = await startEdge({ opsFile: opsFile(file(), { faults: { before } }), clock })
    opened.push(() => edge.close())
    const { etag } = await read(edge)
    expect((await patch(edge, { mode: 'direct_llm' }, etag)).status).to.equal(412)
    expect(text()).to.equal(byHand)
    saved = false
    const patched = patch(edge, { mode: 'direct_llm' }, '*')
    await twoSecondsAfter(clock, 'the edit to be in the file', () => text().includes('"direct_llm"'))
    expect((await patched).status).to.equal(200)
    expect(text()).to.equal(byHand.replace('"defaultVariant": null', '"defaultVariant": "direct_llm"'))
  })
})
