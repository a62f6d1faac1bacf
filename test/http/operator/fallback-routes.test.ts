import { expect } from 'chai'
import { z } from 'zod'
import { PROBLEMS } from '../../../src/http/edge/problems.js'
import { createPublicWindows } from '../../../src/metrics/windows/public-windows.js'
import {
  fallbackStatusSchema,
  metricsSchema,
  orgMetricsSchema,
  transitionSchema,
} from '../../../src/protocol/fallback.js'
import { NEUTRAL } from '../../../src/store/override/override.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { NOTHING, QUIET, sampleTransition } from '../../support/fallback-fakes.js'
import { manualClock } from '../../support/manual-clock.js'
import { httpText, rawClient } from '../../support/raw-client.js'

interface Asked {
  readonly method?: string
  readonly claims?: object
  readonly language?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

async function ask(
  edge: Edge,
  path: string,
  { method = 'GET', claims, language, headers, body }: Asked = {},
) {
  return fetch(`${edge.url}/api/v1/runtime/${path}`, {
    method,
    headers: {
      authorization: await bearer({ role: 'admin', ...claims }),
      'accept-language': language ?? 'en',
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  })
}

const trigger = (edge: Edge, body?: unknown, claims = {}) =>
  ask(edge, 'fallback/trigger', {
    method: 'POST',
    claims,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })

const transition = (id: number, overrides = {}) => ({ ...sampleTransition(overrides), id })

describe('who may ask for what', () => {
  const calls: [what: string, method: string, path: string, body?: object][] = [
    ['all metrics', 'GET', 'metrics'],
    ['metrics of the own org', 'GET', 'metrics/org-1'],
    ['metrics of another org', 'GET', 'metrics/org-2'],
    ['status', 'GET', 'fallback/status'],
    ['reset', 'POST', 'fallback/reset'],
    ['trigger for all', 'POST', 'fallback/trigger'],
    ['trigger for the own org', 'POST', 'fallback/trigger', { orgIds: ['org-1'] }],
    ['trigger for another org', 'POST', 'fallback/trigger', { orgIds: ['org-2'] }],
    ['trigger for both', 'POST', 'fallback/trigger', { orgIds: ['org-1', 'org-2'] }],
    ['history', 'GET', 'fallback/history'],
    ['events', 'HEAD', 'events'],
  ]
  const everything = calls.map(([what]) => what)
  const allowed: [operatorRole: 'admin' | 'owner', role: string, calls: string[]][] = [
    ['admin', 'member', []],
    ['admin', 'admin', everything.filter((what) => what !== 'metrics of another org')],
    ['admin', 'owner', everything],
    ['owner', 'member', []],
    ['owner', 'admin', ['metrics of the own org', 'trigger for the own org']],
    ['owner', 'owner', everything],
  ]
  for (const [operatorRole, role, may] of allowed)
    it(`follows the protocol: a ${role} where operators are ${operatorRole}s`, async () => {
      const edge = await startEdge({ auth: { operatorRole } })
      const seen: string[] = []
      for (const [what, method, path, body] of calls) {
        const response = await ask(edge, path, {
          method,
          claims: { role },
          ...(body === undefined
            ? {}
            : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        })
        if (response.status === 200) seen.push(what)
        else expect(response.status, what).to.equal(403)
        if (method !== 'HEAD' && response.status === 403)
          expect((await errorOf(response)).code, what).to.equal('forbidden')
      }
      expect(seen).to.deep.equal(may)
      const commanding = may.filter((what) => /reset|trigger/.test(what))
      expect(edge.fallback.commands).to.have.length(commanding.length)
      await edge.close()
    })

  it('is nobody without a token', async () => {
    const edge = await startEdge()
    for (const [, method, path] of calls) {
      const response = await fetch(`${edge.url}/api/v1/runtime/${path}`, { method })
      expect(response.status, path).to.equal(401)
    }
    await edge.close()
  })

  it('names the methods a path takes', async () => {
    const edge = await startEdge()
    const cases: [method: string, path: string, allow: string][] = [
      ['POST', 'metrics', 'HEAD, GET, OPTIONS'],
      ['DELETE', 'metrics/org-1', 'HEAD, GET, OPTIONS'],
      ['POST', 'fallback/status', 'HEAD, GET, OPTIONS'],
      ['GET', 'fallback/reset', 'POST, OPTIONS'],
      ['PUT', 'fallback/trigger', 'POST, OPTIONS'],
      ['DELETE', 'fallback/history', 'HEAD, GET, OPTIONS'],
      ['POST', 'events', 'HEAD, GET, OPTIONS'],
    ]
    for (const [method, path, allow] of cases) {
      const response = await ask(edge, path, { method })
      expect([response.status, response.headers.get('allow')], path).to.deep.equal([405, allow])
      expect((await errorOf(response)).code).to.equal('method_not_allowed')
    }
    for (const path of ['fallback', 'fallback/nothing', 'metrics/org-1/more', 'events/1'])
      expect((await ask(edge, path)).status, path).to.equal(404)
    await edge.close()
  })
})

describe('GET /runtime/metrics', () => {
  it('gives the numbers of the protocol for 50 executions', async () => {
    const clock = manualClock()
    const windows = createPublicWindows(clock, { windowSeconds: 300 })
    const base = {
      mode: 'runtime_orchestrator',
      orgId: 'org-1',
      agentId: 'assistant',
      latencyMs: 100,
      startedAt: 0,
    } as const
    for (let n = 0; n < 48; n += 1) windows.record({ ...base, result: 'ok', firstContentMs: 10 })
    windows.record({ ...base, result: 'error', code: 'runtime_error', phase: 'streaming' })
    windows.record({ ...base, result: 'timeout', code: 'gap_timeout', phase: 'streaming' })
    windows.record({ ...base, result: 'aborted', code: 'client_gone' })
    const edge = await startEdge({ clock, realWindows: windows })
    const claims = { exp: clock.wall() / 1000 + 60 }

    const all = metricsSchema.parse(await dataOf(await ask(edge, 'metrics', { claims })))
    const numbers = { total: 50, success: 48, error: 2, timeout: 1, errorRate: 0.04, timeoutRate: 0.02 }
    expect(all.runtime).to.include({ ...numbers, aborted: 1, avgLatencyMs: 100 })
    expect(all.direct).to.deep.equal(NOTHING)
    expect(all).to.include({ fallbackEnabled: false, fallbackReason: '' })

    const own = orgMetricsSchema.parse(await dataOf(await ask(edge, 'metrics/org-1', { claims })))
    expect(own.runtime).to.include(numbers)
    const other = await ask(edge, 'metrics/org-2', { claims: { ...claims, org_id: 'org-2' } })
    expect(orgMetricsSchema.parse(await dataOf(other))).to.deep.equal({
      orgId: 'org-2',
      direct: NOTHING,
      runtime: NOTHING,
    })
    await edge.close()
  })

  it('counts the executions of turns as they end, in their org', async () => {
    const edge = await startEdge()
    const response = await fetch(`${edge.url}/api/v1/chat/start`, {
      method: 'POST',
      headers: { authorization: await bearer(), 'content-type': 'application/json' },
      body: JSON.stringify({ agentId: 'a', message: 'Hi' }),
    })
    await response.text()
    expect(edge.windows.outcomes).to.have.length(1)
    expect(edge.windows.outcomes[0]).to.include({ mode: 'direct_llm', orgId: 'org-1', result: 'ok' })
    await edge.close()
  })

  it('tells an admin of another org the same, whether an org exists or not', async () => {
    const edge = await startEdge({ auth: { operatorRole: 'owner' } })
    edge.windows.held.set('org-1/direct_llm', { ...NOTHING, total: 5, success: 5 })
    const seen = async (orgId: string) => {
      const response = await ask(edge, `metrics/${orgId}`, { claims: { org_id: 'org-3' } })
      return { status: response.status, text: await response.text() }
    }
    expect(await seen('org-1')).to.deep.equal(await seen('org-nowhere'))
    expect((await seen('org-1')).status).to.equal(403)
    await edge.close()
  })

  it('takes any org id an org may have', async () => {
    const edge = await startEdge()
    for (const orgId of ['组织/一', '..', 'a b', '%', 'x'.repeat(200)]) {
      const path = `metrics/${encodeURIComponent(orgId).replaceAll('.', '%2E')}`
      const client = await rawClient(edge.port)
      const headers = {
        Authorization: await bearer({ role: 'admin', org_id: orgId }),
        Connection: 'close',
      }
      client.socket.write(httpText('GET', `/api/v1/runtime/${path}`, headers))
      expect(await client.waitForClose(), orgId)
        .to.include('HTTP/1.1 200')
        .and.to.include('"direct"')
    }
    await edge.close()
  })
})

describe('GET /runtime/fallback/status', () => {
  it('answers in the language of the caller, never from a cache', async () => {
    const edge = await startEdge()
    edge.fallback.now = {
      ...QUIET,
      override: {
        ...NEUTRAL,
        auto: {
          state: 'fallback',
          trip: { cause: 'error_rate', value: 0.55, threshold: 0.5 },
          since: 1,
          holdUntil: 2,
        },
      },
      alerts: [{ kind: 'both_sick' }],
    }
    for (const [language, reason] of [
      ['zh-CN', '错误率过高: 55.00% (阈值: 50.00%)'],
      ['en', 'Error rate too high: 55.00% (threshold: 50.00%)'],
    ] as const) {
      const response = await ask(edge, 'fallback/status', { language })
      expect(response.headers.get('cache-control')).to.equal('no-store')
      const status = fallbackStatusSchema.parse(await dataOf(response))
      expect(status.fallbackReason).to.equal(reason)
      expect(status.alerts[0]).to.match(language === 'en' ? /^The runtime/ : /^Runtime 已/)
    }
    await edge.close()
  })
})

describe('POST /runtime/fallback/reset', () => {
  it('hands the command of a person to the fallback and answers the status', async () => {
    const edge = await startEdge()
    const response = await ask(edge, 'fallback/reset', { method: 'POST', claims: { sub: 'ops-7' } })
    expect(fallbackStatusSchema.parse(await dataOf(response)).fallback.revision).to.equal(1)
    expect(edge.fallback.commands).to.deep.equal([{ kind: 'reset', userId: 'ops-7' }])
    await edge.close()
  })

  it('ignores a body of any type', async () => {
    const edge = await startEdge()
    for (const body of ['{"a":', '<x/>'])
      expect((await ask(edge, 'fallback/reset', { method: 'POST', body })).status).to.equal(200)
    expect(edge.fallback.commands).to.have.length(2)
    await edge.close()
  })

  it('does not read a body for ever', async () => {
    const edge = await startEdge({ timing: { lingerMs: 50 } })
    const client = await rawClient(edge.port)
    const headers = {
      Authorization: await bearer({ role: 'admin' }),
      'Transfer-Encoding': 'chunked',
    }
    client.socket.write(httpText('POST', '/api/v1/runtime/fallback/reset', headers))
    const pour = (): void => {
      while (!client.socket.destroyed && client.socket.write(`10000\r\n${'x'.repeat(65_536)}\r\n`));
    }
    client.socket.on('drain', pour)
    pour()
    expect(await client.waitFor('"fallbackEnabled"')).to.include('HTTP/1.1 200')
    await client.waitForClose(2_000)
    await edge.close()
  })
})

describe('POST /runtime/fallback/trigger', () => {
  let edge: Edge
  before(async () => {
    edge = await startEdge({ timing: { bodyMs: 1_000, lingerMs: 50 } })
  })
  after(() => edge.close())
  beforeEach(() => {
    edge.fallback.commands.length = 0
  })

  it('takes reason, time to live and orgs, and answers the status with the reason', async () => {
    const response = await trigger(edge, {
      reason: ' 发布演练 ',
      ttlSeconds: 600,
      orgIds: ['org-2', 'org-2'],
    })
    const status = fallbackStatusSchema.parse(await dataOf(response))
    expect(edge.fallback.commands).to.deep.equal([
      { kind: 'trigger', userId: 'user-1', reason: '发布演练', ttlSeconds: 600, orgIds: ['org-2'] },
    ])
    expect(status).to.include({ fallbackEnabled: true, fallbackReason: '发布演练' })
    expect(status.manual).to.deep.include({ scope: 'orgs', orgIds: ['org-2'], reason: '发布演练' })
  })

  it('needs no body: none, an empty one, an empty chunked one and {} are a trigger for all', async () => {
    const authorization = await bearer({ role: 'admin' })
    const bodies: [headers: Record<string, string>, body: string][] = [
      [{}, ''],
      [{ 'Content-Length': '0' }, ''],
      [{ 'Content-Length': '0', 'Content-Type': 'text/plain' }, ''],
      [{ 'Transfer-Encoding': 'chunked' }, '0\r\n\r\n'],
      [{ 'Transfer-Encoding': 'chunked', 'Content-Type': 'application/json' }, '2\r\n{}\r\n0\r\n\r\n'],
    ]
    for (const [headers, body] of bodies) {
      const client = await rawClient(edge.port)
      const head = httpText('POST', '/api/v1/runtime/fallback/trigger', {
        Authorization: authorization,
        'Accept-Language': 'en',
        Connection: 'close',
        ...headers,
      })
      client.socket.write(head + body)
      const answer = await client.waitForClose()
      expect(answer).to.include('HTTP/1.1 200')
      expect(answer).to.include('Fallback by hand (no reason given)')
    }
    expect(edge.fallback.commands).to.deep.equal(
      Array(5).fill({ kind: 'trigger', userId: 'user-1', reason: '' }),
    )
  })

  it('refuses what is no JSON, too large, or wrong, one line a field', async () => {
    const post = (body: string, headers: Record<string, string>) =>
      ask(edge, 'fallback/trigger', { method: 'POST', body, headers })
    const json = { 'content-type': 'application/json' }
    expect((await post('{}', { 'content-type': 'text/plain' })).status).to.equal(415)
    expect((await post('{"reason"', json)).status).to.equal(400)
    expect((await post(JSON.stringify({ reason: 'x'.repeat(1_100_000) }), json)).status).to.equal(413)
    const details = async (body: unknown) => (await errorOf(await trigger(edge, body))).details
    expect(await details({ reason: 'x'.repeat(501), ttlSeconds: 0, orgIds: [], who: 'me' })).to.have.members([
      'reason: must have at most 500 characters, not 501',
      'ttlSeconds: must be at least 1, not 0',
      'orgIds: must not be empty',
      'who: is not a known field',
    ])
    expect(await details({ ttlSeconds: 1.5, orgIds: 'org-1' })).to.have.members([
      'ttlSeconds: must be a whole number, not 1.5',
      'orgIds: must be an array, not a string',
    ])
    expect(await details({ ttlSeconds: 2_592_001, orgIds: Array(1001).fill('a') })).to.have.members([
      'ttlSeconds: must be at most 2592000, not 2592001',
      'orgIds: must have at most 1000 entries, not 1001',
    ])
    expect(await details(null)).to.deep.equal(['The body must be an object, not null'])
    expect(edge.fallback.commands).to.deep.equal([])
  })

  it('names at most a thousand orgs in all, those of before among them', async () => {
    const orgs = (from: number, count: number, length = 0) =>
      Array.from({ length: count }, (_, at) => `org-${from + at}`.padEnd(length, 'x'))
    const asked = async (orgIds: string[]) => (await trigger(edge, { orgIds })).status
    expect(await asked(orgs(0, 300, 200))).to.equal(400)
    expect(await asked(orgs(0, 900))).to.equal(200)
    expect(await asked(orgs(200, 900))).to.equal(400)
    expect(await asked(orgs(500, 400))).to.equal(200)
    const error = await errorOf(await trigger(edge, { orgIds: orgs(0, 300, 200) }))
    expect(error.message).to.include('reset first')
    expect(edge.fallback.commands).to.have.length(2)
    await ask(edge, 'fallback/reset', { method: 'POST' })
  })

  it('tells an admin of one org among many what to send, and answers nothing of the others', async () => {
    const shared = await startEdge({ auth: { operatorRole: 'owner' } })
    const refused = await trigger(shared)
    expect(refused.status).to.equal(403)
    expect((await errorOf(refused)).message).to.equal(PROBLEMS.own_org_only.en)
    expect((await errorOf(await trigger(shared, { orgIds: ['org-2'] }))).message).to.include('orgIds')
    shared.fallback.command = async (command) => {
      shared.fallback.commands.push(command)
      return {
        ...QUIET,
        lease: { holder: 'replica-9', mine: false },
        alerts: [{ kind: 'loop_failed', detail: 'inside' }],
        override: {
          ...NEUTRAL,
          manual: { scope: 'orgs', target: { kind: 'orgs', orgIds: ['org-2', 'org-1'] }, reason: 'drill' },
        },
      }
    }
    const text = await (await trigger(shared, { orgIds: ['org-1'], reason: 'drill' })).text()
    expect(text)
      .to.include('org-1')
      .and.to.not.match(/org-2|replica-9|inside/)
    expect(shared.fallback.commands).to.have.length(1)
    await shared.close()
  })
})

describe('GET /runtime/fallback/history', () => {
  const entries = z.array(transitionSchema)

  it('gives transitions newest first, page by page, in both languages', async () => {
    const edge = await startEdge()
    edge.journal.kept.push(
      transition(1),
      transition(2, {
        actor: 'manual',
        from: 'fallback',
        manualTo: 'all',
        userId: 'ops-7',
        cause: 'manual',
        reason: '演练',
      }),
      transition(3, {
        kind: 'recovered',
        from: 'recovering',
        to: 'normal',
        cause: undefined,
        evidence: undefined,
      }),
    )
    const page = async (query: string, language = 'en') =>
      entries.parse(await dataOf(await ask(edge, `fallback/history${query}`, { language })))
    const all = await page('')
    expect(all.map(({ id }) => id)).to.deep.equal([3, 2, 1])
    expect(all.map(({ reason }) => reason)).to.deep.equal([
      'Back to normal',
      '演练',
      'Error rate too high: 55.00% (threshold: 50.00%)',
    ])
    expect(all[0]).to.deep.include({ cause: null, userId: null, evidence: null })
    expect(all[1]).to.include({ userId: 'ops-7', actor: 'manual', manualTo: 'all' })
    expect(all[2]).to.deep.include({ at: '2026-01-01T12:00:00.000Z', evidence: { total: 20 } })
    expect((await page('', 'zh-CN')).at(-1)?.reason).to.equal('错误率过高: 55.00% (阈值: 50.00%)')
    expect((await page('?limit=2')).map(({ id }) => id)).to.deep.equal([3, 2])
    expect((await page('?limit=2&before=2')).map(({ id }) => id)).to.deep.equal([1])
    expect(await page('?before=1')).to.deep.equal([])
    await edge.close()
  })

  it('gives 50 entries unless asked for more, at most 500', async () => {
    const edge = await startEdge()
    for (let id = 1; id <= 600; id += 1) edge.journal.kept.push(transition(id))
    const count = async (query: string) =>
      entries.parse(await dataOf(await ask(edge, `fallback/history${query}`))).length
    expect(await count('')).to.equal(50)
    expect(await count('?limit=500')).to.equal(500)
    await edge.close()
  })

  it('refuses parameters that are none, one line each', async () => {
    const edge = await startEdge()
    const details = async (query: string, language = 'en') => {
      const response = await ask(edge, `fallback/history?${query}`, { language })
      expect(response.status, query).to.equal(400)
      return (await errorOf(response)).details
    }
    expect(await details('limit=501')).to.deep.equal(['limit: must be at most 500, not 501'])
    expect(await details('limit=0&before=0')).to.deep.equal([
      'limit: must be at least 1, not 0',
      'before: must be at least 1, not 0',
    ])
    expect(await details('limit=many')).to.deep.equal(['limit: must be a number'])
    expect(await details('limit=many', 'zh-CN')).to.deep.equal(['limit: 必须是数字'])
    expect(await details('limit=1.5')).to.deep.equal(['limit: must be a whole number, not 1.5'])
    expect(await details('limit=1&limit=2')).to.deep.equal(['limit: must be a number'])
    expect(await details('limit=')).to.deep.equal(['limit: must be at least 1, not 0'])
    expect(await details('after=3')).to.deep.equal(['after: is not a known field'])
    expect(await details('before=1e400')).to.have.length(1)
    await edge.close()
  })

  it('is 503 while the journal cannot be read, 500 for a fault of ours', async () => {
    const edge = await startEdge()
    edge.journal.available = false
    const response = await ask(edge, 'fallback/history')
    expect([response.status, response.headers.get('retry-after')]).to.deep.equal([503, '1'])
    expect(await errorOf(response)).to.include({
      code: 'store_unavailable',
      message: PROBLEMS.journal_unavailable.en,
    })
    edge.journal.transitions = async () => {
      throw new Error('geheim')
    }
    const broken = await ask(edge, 'fallback/history')
    expect(broken.status).to.equal(500)
    expect(await broken.text()).to.not.include('geheim')
    await edge.close()
  })
})

describe('a replica that drains', () => {
  it('takes no command any more, and still tells how it is', async () => {
    const edge = await startEdge()
    edge.state = 'draining'
    for (const response of [await trigger(edge), await ask(edge, 'fallback/reset', { method: 'POST' })]) {
      expect(response.status).to.equal(503)
      expect(response.headers.get('retry-after')).to.equal('1')
    }
    expect((await ask(edge, 'fallback/status')).status).to.equal(200)
    await edge.close()
  })
})
