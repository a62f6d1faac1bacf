import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import type { Finding } from '../../../src/cli/doctor/finding.js'
import type { Faults } from '../../../src/simulator/faults.js'
import { startRuntimeSimulator } from '../../../src/simulator/runtime.js'
import type { Simulator } from '../../../src/simulator/simulator-server.js'
import { runCli } from '../../support/cli.js'

const CHECKS = ['GET /health', 'a turn', 'the second turn', 'the fence of shadows', 'a bad body', 'cancel']

describe('chat-cutover runtime-check', () => {
  let runtime: Simulator
  before(async () => {
    runtime = await startRuntimeSimulator()
  })
  after(() => runtime.close())

  async function check(faults: Faults) {
    runtime.faults = faults
    const { code, out } = await runCli(['runtime-check', runtime.url, '--json'])
    const { findings } = JSON.parse(out) as { findings: Finding[] }
    const found = (wanted: string) => findings.find((finding) => finding.check === wanted)
    return { code, findings, found }
  }

  it('finds nothing wrong with a runtime that does what the service asks', async () => {
    const { code, findings } = await check({ honourShadow: true })
    expect(findings.map(({ check: name, result }) => `${name}: ${result}`)).to.deep.equal(
      CHECKS.map((name) => `${name}: ok`),
    )
    expect(code).to.equal(0)
  })

  it('sends a second turn as the service does, its history ending with the present message, and a shadow with its marks', async () => {
    await check({ honourShadow: true })
    const bodies = runtime.requests.map(({ body, headers }) => ({ body: JSON.stringify(body), headers }))
    expect(bodies.some(({ body }) => /QUINCE alone.*QUINCE.*MEDLAR alone/.test(body))).to.equal(true)
    expect(
      bodies.some(({ body, headers }) => headers['x-chat-shadow'] === '1' && body.includes('shadow')),
    ).to.equal(true)
  })

  it('warns where shadows are not fenced, and says what to do', async () => {
    const { code, found } = await check({})
    expect(found('the fence of shadows')).to.include({ result: 'warning' })
    expect(found('the fence of shadows')?.advice).to.contain('CHAT_SHADOW_REQUIRE_FENCE')
    expect(code).to.equal(0)
  })

  const faulty: [string, Faults, string, RegExp][] = [
    ['a runtime that refuses turns', { status: 503 }, 'a turn', /answers 503/],
    ['an answer that breaks off', { dropAfterEvents: 2 }, 'a turn', /./],
    ['an answer without text', { events: 0 }, 'a turn', /no text/],
    ['frames that are no JSON', { garbage: true }, 'a turn', /cannot be read/],
    ['an error', { errorEvent: true }, 'a turn', /execution_error/],
  ]
  for (const [what, faults, wanted, text] of faulty)
    it(`finds ${what}`, async () => {
      const { code, found } = await check(faults)
      expect(found(wanted)).to.include({ result: 'fault' })
      expect(found(wanted)?.text).to.match(text)
      expect(found(wanted)?.advice).to.not.equal(undefined)
      expect(code).to.equal(1)
    })

  it('finds one that is not there, in Chinese too', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const { code, out } = await runCli(['runtime-check', `http://127.0.0.1:${port}`, '--lang', 'zh-CN'])
    expect(out).to.contain('ECONNREFUSED').and.to.contain('请确认 runtime 已启动且地址正确')
    expect(code).to.equal(1)
  })

  it('takes an http address alone', async () => {
    const { code, err } = await runCli(['runtime-check', 'localhost:8000'])
    expect(err).to.contain('"localhost:8000" is no http address')
    expect(code).to.equal(2)
  })
})
