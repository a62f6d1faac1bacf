import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { errorOf } from '../../support/answers.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { httpText, type RawClient, rawClient } from '../../support/raw-client.js'
import { until } from '../../support/until.js'

const PATH = '/api/v1/chat/start'
const good = { agentId: 'assistant', message: 'Hi' }
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

describe('the body of a request', () => {
  let edge: Edge
  let authorization: string
  before(async () => {
    edge = await startEdge({ timing: { bodyMs: 150, lingerMs: 150 } })
    authorization = await bearer()
  })
  after(() => edge.close())

  const post = (body: Buffer | undefined, headers: Record<string, string> = {}, language = 'en') =>
    fetch(edge.url + PATH, {
      method: 'POST',
      headers: {
        authorization,
        'accept-language': language,
        'content-type': 'application/json',
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    })

  /** A request whose head announces so many bytes of a body, of which only the beginning is sent. */
  const announcing = async (bytes: number, beginning = ''): Promise<RawClient> => {
    const client = await rawClient(edge.port)
    const headers = {
      Authorization: authorization,
      'Content-Type': 'application/json',
      'Content-Length': String(bytes),
    }
    client.socket.write(httpText('POST', PATH, headers) + beginning)
    return client
  }

  const refused = async (body: Buffer | undefined, headers?: Record<string, string>) => {
    const response = await post(body, headers)
    const { code, message, details } = await errorOf(response)
    return { status: response.status, code, message, details }
  }

  it('is taken as JSON of any usual name, compressed or not, with or without a BOM', async () => {
    const cases: [Buffer, Record<string, string>][] = [
      [json(good), { 'content-type': 'application/json; charset=UTF-8' }],
      [json(good), { 'content-type': 'Application/JSON;charset="utf-8"' }],
      [json(good), { 'content-type': 'application/vnd.chat+json' }],
      [Buffer.concat([Buffer.from('\ufeff'), json(good)]), {}],
      [gzipSync(json(good)), { 'content-encoding': 'gzip' }],
      [gzipSync(json(good)), { 'content-encoding': 'X-GZIP' }],
      [deflateSync(json(good)), { 'content-encoding': 'deflate' }],
      [brotliCompressSync(json(good)), { 'content-encoding': 'br' }],
      [json(good), { 'content-encoding': 'identity' }],
    ]
    for (const [body, headers] of cases) {
      const response = await post(body, headers)
      expect(response.status, JSON.stringify(headers)).to.equal(200)
      expect(await response.text()).to.include('event: done')
    }
  })

  it('is refused with 415 where it is not JSON in UTF-8, or in a coding we do not have', async () => {
    for (const type of ['', 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'json'])
      expect(await refused(json(good), { 'content-type': type }), type).to.include({
        status: 415,
        code: 'unsupported_media_type',
      })
    expect(await refused(json(good), { 'content-type': 'application/json; charset=gbk' })).to.include({
      status: 415,
    })
    expect(await refused(json(good), { 'content-encoding': 'zstd' })).to.include({ status: 415 })
    expect(await refused(json(good), { 'content-encoding': 'constructor' })).to.include({ status: 415 })
  })

  it('is refused with 415 without a content type, with a body and without one', async () => {
    const client = await rawClient(edge.port)
    client.socket.write(httpText('POST', PATH, { Authorization: authorization }, JSON.stringify(good)))
    await client.waitFor('HTTP/1.1 415')
    client.socket.write(httpText('POST', PATH, { Authorization: authorization, 'Content-Length': '0' }))
    await until('the second answer', () => client.received().split('HTTP/1.1 415').length === 3)
    client.socket.destroy()
  })

  it('is refused with 400 where it is empty, torn, wrongly encoded or wrongly compressed', async () => {
    const cases: [why: string, body: Buffer, headers: Record<string, string>, message: string][] = [
      ['empty', Buffer.alloc(0), {}, 'empty'],
      ['torn', Buffer.from('{"agentId":"a","mess'), {}, 'not valid JSON'],
      ['two values', Buffer.from('{}{}'), {}, 'not valid JSON'],
      ['NaN', Buffer.from('NaN'), {}, 'not valid JSON'],
      [
        'a lone byte',
        Buffer.concat([Buffer.from('{"message":"'), Buffer.from([0xff]), Buffer.from('"}')]),
        {},
        'UTF-8',
      ],
      ['UTF-16', Buffer.from(JSON.stringify(good), 'utf16le'), {}, 'JSON'],
      ['not gzip', json(good), { 'content-encoding': 'gzip' }, 'decompressed'],
      ['half a gzip', gzipSync(json(good)).subarray(0, 15), { 'content-encoding': 'gzip' }, 'decompressed'],
    ]
    for (const [why, body, headers, message] of cases) {
      const seen = await refused(body, headers)
      expect(seen, why).to.include({ status: 400, code: 'bad_request' })
      expect(seen.message, why).to.include(message)
    }
  })

  it('is refused with one line a field, in the language of the caller, never quoting a value', async () => {
    const wrong = json({ agentId: 7, message: '   ' })
    expect((await refused(wrong)).details).to.deep.equal([
      'agentId: must be a string, not a number',
      'message: must not be empty',
    ])
    const { message, details } = await errorOf(await post(wrong, {}, 'zh-CN'))
    expect(message).to.include('请求内容有误')
    expect(details).to.deep.equal(['agentId: 必须是字符串，而不是数字', 'message: 不能为空'])
    expect((await refused(json({}))).details).to.deep.equal(['agentId: is missing', 'message: is missing'])
    expect((await refused(json([good]))).details).to.deep.equal(['The body must be an object, not an array'])
    expect((await refused(json({ ...good, agentId: 'a'.repeat(201) }))).details).to.deep.equal([
      'agentId: must have at most 200 characters, not 201',
    ])
  })

  it('may have fields that are not known: older web clients send some', async () => {
    for (const more of ['"parentMessageId":"m-1","attachments":[]', '"__proto__":{"message":"x"}']) {
      const answer = await post(Buffer.from(`{"agentId":"a","message":"b",${more}}`))
      expect(answer.status, more).to.equal(200)
      await answer.body?.cancel()
    }
  })

  it('may be 1 MiB and no byte more, compressed or not', async () => {
    const sized = (bytes: number): Buffer => {
      const frame = json({ ...good, message: '' }).length
      return json({ ...good, message: 'x'.repeat(bytes - frame) })
    }
    const full = await post(sized(1_048_576))
    expect(full.status).to.equal(200)
    await full.text()
    expect(await refused(sized(1_048_577))).to.include({ status: 413, code: 'payload_too_large' })
    expect(await refused(gzipSync(sized(1_048_577)), { 'content-encoding': 'gzip' })).to.include({
      status: 413,
    })
    expect(await refused(gzipSync(Buffer.alloc(200_000_000)), { 'content-encoding': 'gzip' })).to.include({
      status: 413,
    })
  })

  it('without a length is refused at 1 MiB too, answered at once, and not read on for long', async () => {
    const client = await rawClient(edge.port)
    const headers = {
      Authorization: authorization,
      'Content-Type': 'application/json',
      'Transfer-Encoding': 'chunked',
    }
    client.socket.write(httpText('POST', PATH, headers))
    const piece = `10000\r\n${'x'.repeat(65_536)}\r\n`
    const pour = (): void => {
      while (!client.socket.destroyed && client.socket.write(piece));
    }
    client.socket.on('drain', pour)
    pour()
    const answer = await client.waitFor('payload_too_large')
    expect(answer).to.include('HTTP/1.1 413')
    await client.waitForClose(2_000)
  })

  it('changes nothing but itself: doubled keys mean the last, `__proto__` is a field like any other', async () => {
    const raw = (text: string) => post(Buffer.from(text))
    const doubled = await raw('{"agentId":"assistant","message":"first","message":""}')
    expect((await errorOf(doubled)).details).to.deep.equal(['message: must not be empty'])
    const inherited = await raw('{"agentId":"assistant","__proto__":{"message":"Hi"}}')
    expect((await errorOf(inherited)).details).to.deep.equal(['message: is missing'])
    const polluting = await raw(
      '{"agentId":"assistant","message":"Hi","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    )
    expect(polluting.status).to.equal(200)
    await polluting.text()
    expect(Reflect.get({}, 'polluted')).to.equal(undefined)
    const strict = await fetch(`${edge.url}/api/v1/runtime/erase`, {
      method: 'POST',
      headers: { authorization: await bearer({ role: 'owner' }), 'content-type': 'application/json' },
      body: '{"userId":"nobody","__proto__":{"orgId":"org-1"}}',
    })
    expect(strict.status).to.equal(400)
    await strict.text()
  })

  it('that announces too much is refused before a byte of it came', async () => {
    const client = await announcing(99_999_999)
    expect(await client.waitFor('payload_too_large')).to.include('HTTP/1.1 413')
    await client.waitForClose(2_000)
  })

  it('that does not arrive in time is refused, and the connection closed', async () => {
    const client = await announcing(100, '{"agentId":')
    const answer = await client.waitFor('bad_request')
    expect(answer).to.include('HTTP/1.1 400')
    await client.waitForClose(2_000)
    await until('the turn to be given up', () => edge.turns.count === 0)
  })

  it('whose client leaves in the middle is no fault to be logged', async () => {
    const client = await announcing(100, '{"agentId":')
    await until('the request to be read', () => edge.turns.count === 1)
    client.socket.resetAndDestroy()
    await until('the turn to be given up', () => edge.turns.count === 0)
    expect(edge.log.filter(({ level }) => Number(level) >= 40)).to.deep.equal([])
  })
})
