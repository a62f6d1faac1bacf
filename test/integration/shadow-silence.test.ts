import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import Database from 'libsql'
import { startTurn, type TurnSeen } from '../support/chat-client.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  type TemporaryFlags,
  temporaryFlags,
} from '../support/processes.js'
import { until } from '../support/until.js'

/** What shadows leave behind in the file of a running service, and whom they call. */

const DATABASE = 'chat.db'
const PATIENCE_MS = 30_000

async function setFaults({ url }: RunningProcess, faults: Record<string, unknown>): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}/_faults`, { method: 'PUT', headers, body: JSON.stringify(faults) })
  if (!response.ok) throw new Error(`faults refused: ${await response.text()}`)
}

/** Samples of the exposition whose name and labels begin so, added up. */
async function metric({ url }: RunningProcess, begin: string): Promise<number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
  return lines
    .filter((line) => line.startsWith(begin))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

/** All bytes of the database, its log included. */
function bytesOf({ folder }: TemporaryFlags): Buffer {
  const names = readdirSync(folder).filter((name) => name.startsWith(DATABASE))
  return Buffer.concat(names.map((name) => readFileSync(join(folder, name))))
}

/** How many rows of each table hold the text, in whichever column; tables without any left out. */
function rowsWith({ folder }: TemporaryFlags, text: string): Record<string, number> {
  const database = new Database(join(folder, DATABASE))
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").raw().all()
    const counts = tables.map(valuesOf).map(([table]) => {
      const rows = database
        .prepare(`SELECT * FROM "${String(table)}"`)
        .raw()
        .all()
      return [String(table), rows.filter((row) => JSON.stringify(row).includes(text)).length] as const
    })
    return Object.fromEntries(counts.filter(([, count]) => count > 0))
  } finally {
    database.close()
  }
}

const valuesOf = (row: unknown): readonly unknown[] => (Array.isArray(row) ? row : [])

describe('shadows of the running service, afterwards', function () {
  this.timeout(90_000)
  let llm: RunningProcess
  let runtime: RunningProcess
  let member: string

  before(async () => {
    ;[llm, runtime, member] = await Promise.all([startSimulator('llm'), startSimulator('runtime'), bearer()])
  })
  after(() => Promise.all([llm?.end(), runtime?.end()]))
  afterEach(() => Promise.all([setFaults(llm, {}), setFaults(runtime, {})]))

  const start = (flags: TemporaryFlags, env: Record<string, string>): Promise<RunningProcess> =>
    startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: runtime.url,
      flags,
      env: { CHAT_RUNTIME_SHADOW_PERCENT: '100', CHAT_SHADOW_AA_PERCENT: '0', CHAT_DRAIN_MS: '5000', ...env },
    })

  /** On a busy machine shadows stop first: turns are made until there were as many as wanted. */
  async function turnsUntil(
    service: RunningProcess,
    what: string,
    message: string,
    holds: () => Promise<boolean>,
  ): Promise<TurnSeen[]> {
    const turns: TurnSeen[] = []
    const another = async (): Promise<boolean> => {
      turns.push(await startTurn(service.url, member, message))
      return holds()
    }
    await until(what, another, PATIENCE_MS)
    return turns
  }

  describe('leave in the file', () => {
    const MESSAGE = 'Question7401 about the weather'
    const SAID = {
      direct_llm: '[direct] Answer 1 to: Question7401',
      runtime_orchestrator: '[runtime] Answer 1 to: Question7401',
    } as const
    const flags: TemporaryFlags[] = []
    afterEach(() => {
      for (const one of flags.splice(0)) one.remove()
    })

    /** Three compared turns, and the service ended. */
    async function file(env: Record<string, string>): Promise<{ turns: number; flags: TemporaryFlags }> {
      const own = temporaryFlags()
      flags.push(own)
      const service = await start(own, env)
      const compared = async () => (await metric(service, 'chat_shadow_comparisons_total')) >= 3
      const turns = await turnsUntil(service, 'three comparisons', MESSAGE, compared)
      expect(await service.end()).to.equal(0)
      return { turns: turns.length, flags: own }
    }

    for (const [control, candidate] of [
      ['direct_llm', 'runtime_orchestrator'],
      ['runtime_orchestrator', 'direct_llm'],
    ] as const) {
      it(`nothing of what ${candidate} said, and of ${control} the conversation alone`, async () => {
        const { turns, flags } = await file({ CHAT_EXECUTION_MODE: control })
        expect(bytesOf(flags).includes(SAID[candidate])).to.equal(false)
        expect(rowsWith(flags, SAID[candidate])).to.deep.equal({})
        expect(rowsWith(flags, SAID[control])).to.deep.equal({ turns })
        // Answers quote their question; a row of a conversation holds both.
        expect(rowsWith(flags, MESSAGE)).to.deep.equal({ turns })
        expect(rowsWith(flags, 'shadow:')).to.deep.equal({})
      })

      it(`nothing of what ${control} said when it was asked once more`, async () => {
        const env = { CHAT_EXECUTION_MODE: control, CHAT_SHADOW_AA_PERCENT: '100' }
        const { turns, flags } = await file(env)
        expect(rowsWith(flags, SAID[control])).to.deep.equal({ turns })
        expect(rowsWith(flags, MESSAGE)).to.deep.equal({ turns })
        expect(rowsWith(flags, 'shadow:')).to.deep.equal({})
      })
    }

    it('both answers where that is asked for', async () => {
      const { flags } = await file({ CHAT_SHADOW_KEEP_CONTENT: 'true' })
      expect(bytesOf(flags).includes(SAID.runtime_orchestrator)).to.equal(true)
      expect(rowsWith(flags, SAID.runtime_orchestrator).contents).to.be.at.least(3)
      expect(Object.keys(rowsWith(flags, SAID.direct_llm))).to.have.members(['turns', 'contents'])
    })
  })

  describe('notify nobody', () => {
    const flags = temporaryFlags()
    const notified: string[] = []
    let receiver: Server
    let service: RunningProcess

    before(async () => {
      receiver = createServer(async (request, response) => {
        let body = ''
        for await (const chunk of request.setEncoding('utf8')) body += chunk
        notified.push(body)
        response.end('ok')
      })
      receiver.listen(0, '127.0.0.1')
      await once(receiver, 'listening')
      // If shadows counted, the least of these would trip.
      flags.edit((document) => {
        Object.assign(document.flags['chat-runtime-guardrails']?.variants.standard ?? {}, {
          errorRate: 0.05,
          timeoutRate: 0.05,
          minSamples: 3,
          tickMs: 100,
          headersMs: 400,
          firstContentMs: 400,
          gapMs: 400,
        })
      })
      const { port } = receiver.address() as AddressInfo
      service = await start(flags, { CHAT_NOTIFY_URL: `http://127.0.0.1:${port}/hook` })
    })
    after(async () => {
      await service?.end()
      receiver?.closeAllConnections()
      receiver?.close()
      flags.remove()
    })

    for (const [faults, result] of [
      [{ status: 503 }, 'error'],
      [{ dropAfterEvents: 2 }, 'error'],
      [{ softFailure: true }, 'error'],
      [{ hang: 'body' }, 'timeout'],
      [{ hang: 'headers' }, 'timeout'],
    ] as const)
      it(`of a runtime with ${JSON.stringify(faults)}`, async () => {
        const name = `chat_shadow_executions_total{mode="runtime_orchestrator",result="${result}"}`
        await until('earlier ones to end', async () => (await metric(service, 'chat_shadow_running')) === 0)
        const before = await metric(service, name)
        await setFaults(runtime, faults)
        await turnsUntil(
          service,
          'five of them',
          'Hello',
          async () => (await metric(service, name)) >= before + 5,
        )
        // Later ticks would have judged them.
        const since = performance.now()
        await until('some ticks', () => performance.now() - since > 300)
        expect(await metric(service, 'chat_fallback_transitions_total')).to.equal(0)
        expect(notified).to.deep.equal([])
      })

    it('... who would hear of a person', async () => {
      const response = await fetch(`${service.url}/api/v1/runtime/fallback/trigger`, {
        method: 'POST',
        headers: { authorization: await bearer({ role: 'admin' }) },
      })
      expect(response.status).to.equal(200)
      await until('the notification', () => notified.length === 1)
      expect(notified[0]).to.contain('manual')
    })
  })
})
