import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import type { Finding } from '../../src/cli/doctor/finding.js'
import { runCli } from '../support/cli.js'
import { freePort } from '../support/free-port.js'
import { until } from '../support/until.js'

const PYTHON = process.env.PYTHON ?? 'python3'
const hasFastApi = spawnSync(PYTHON, ['-c', 'import fastapi, uvicorn']).status === 0
const why = hasFastApi ? '' : ` (skipped: ${PYTHON} has no fastapi and uvicorn; set PYTHON to one that has)`

describe('the example runtimes', () => {
  let runtime: ChildProcess | undefined
  afterEach(async () => {
    if (runtime === undefined || runtime.exitCode !== null) return
    const ended = once(runtime, 'exit')
    runtime.kill('SIGKILL')
    await ended
  })

  /** What the conformance kit finds wrong with it. */
  async function checked(command: string, args: (port: number) => readonly string[]): Promise<string[]> {
    const port = await freePort()
    runtime = spawn(command, args(port), { stdio: 'ignore' })
    const url = `http://127.0.0.1:${port}`
    const isUp = () =>
      fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      )
    await until('the runtime', isUp, 20_000)
    const { out } = await runCli(['runtime-check', url, '--json'])
    const { findings } = JSON.parse(out) as { findings: Finding[] }
    // How long they are silent is nothing that a test waits for.
    return findings
      .filter(({ check, result }) => result !== 'ok' && check !== 'pings')
      .map(({ check, text }) => `${check}: ${text}`)
  }

  it('pass the check in TypeScript', async () => {
    const found = await checked(process.execPath, (port) => [
      '--import',
      'tsx',
      'examples/runtime-typescript/runtime.ts',
      String(port),
    ])
    expect(found).to.deep.equal([])
  })

  const inPython = hasFastApi ? it : it.skip
  inPython(`pass the check in Python${why}`, async () => {
    const found = await checked(PYTHON, (port) => [
      '-m',
      'uvicorn',
      '--app-dir',
      'examples/runtime-python',
      'runtime:app',
      '--port',
      String(port),
    ])
    expect(found).to.deep.equal([])
  })
})
