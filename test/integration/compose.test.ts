import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { parse } from 'yaml'
import { z } from 'zod'
import { startTurn } from '../support/chat-client.js'
import {
  bearer,
  type RunningProcess,
  startProcess,
  TEST_SECRET,
  temporaryFlags,
} from '../support/processes.js'

const composeSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      command: z.array(z.string()).default([]),
      environment: z.record(z.string(), z.string()).default({}),
    }),
  ),
})

import { until } from '../support/until.js'

/** The commands of docker-compose.yml as processes of this machine: folders and hosts mapped, ports free ones. */
describe('docker-compose.yml, its commands as processes', function () {
  this.timeout(30_000)

  it('answer a turn by flags from flagd, and are healthy until they end', async () => {
    const { services } = composeSchema.parse(parse(readFileSync('docker-compose.yml', 'utf8')))
    const flags = temporaryFlags()
    const inFolder = (text: string): string => text.replaceAll('/flags/', `${flags.folder}/`)
    const running: RunningProcess[] = []
    const start = async (
      args: readonly string[],
      env: Record<string, string> = {},
    ): Promise<RunningProcess> => {
      const started = await startProcess(args, env)
      running.push(started)
      return started
    }
    const simulator = (name: string): Promise<RunningProcess> => {
      const [, script = '', kind = ''] = services[name]?.command ?? []
      return start([script, kind, '--port', '0'])
    }
    try {
      const [llm, runtime] = [await simulator('llm'), await simulator('runtime')]
      const sources = services.flagd?.command.slice(1).map(inFolder) ?? []
      const flagd = await start([
        'dist/simulator/main.js',
        'flagd',
        '--port',
        '0',
        '--control-port',
        '0',
        ...sources,
      ])
      const port = String(flagd.log.find((line) => line.msg === 'listening')?.port)
      const { environment = {} } = services.chat ?? {}
      const chat = await start(['dist/main.js'], {
        ...Object.fromEntries(
          Object.entries(environment).map(([name, value]) => [name, inFolder(withDefault(value))]),
        ),
        FLAGD_HOST: '127.0.0.1',
        FLAGD_PORT: port,
        PORT: '0',
        HOST: '127.0.0.1',
        CHAT_DATABASE: `${flags.folder}/chat.db`,
        CHAT_LAMEDUCK_MS: '0',
        RUNTIME_SERVICE_URL: runtime.url,
        LLM_BASE_URL: `${llm.url}/v1`,
        LLM_API_KEY: '',
        LLM_MODEL: 'simulated',
        JWT_SECRET: TEST_SECRET,
        JWKS_URL: '',
      })
      const seen = await startTurn(chat.url, await bearer())
      expect(seen.terminal).to.have.nested.property('data.executionMode', 'direct_llm')
      flags.edit((document) => {
        Object.assign(document.flags['chat-execution-mode'] ?? {}, { defaultVariant: 'runtime_orchestrator' })
      })
      await until('the runtime to be asked', async () => {
        const { terminal } = await startTurn(chat.url, await bearer())
        return terminal?.event === 'done' && terminal.data.executionMode === 'runtime_orchestrator'
      })
      const healthcheck = (): number | null =>
        spawnSync(process.execPath, ['dist/cli/healthcheck.js'], {
          env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: new URL(chat.url).port },
        }).status
      expect(healthcheck()).to.equal(0)
      expect(await chat.end()).to.equal(0)
      expect(healthcheck()).to.equal(1)
    } finally {
      await Promise.all(running.map((one) => one.end()))
      flags.remove()
    }
  })
})

/** What compose makes of `${NAME:-default}` where NAME is not set. */
const withDefault = (value: string): string => value.replace(/\$\{\w+:-([^}]*)\}/g, '$1')
