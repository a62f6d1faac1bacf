import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { bundled, CLIENT } from '../support/client-bundle.js'
import { bearer, type Edge, startEdge } from '../support/edge.js'
import { answering } from '../support/scripted-backend.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

interface Ran {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** Ends after two minutes, whatever became of it. */
async function run(command: string, args: readonly string[]): Promise<Ran> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 })
  let [output, errors] = ['', '']
  child.stdout.on('data', (piece: Buffer) => {
    output += piece.toString()
  })
  child.stderr.on('data', (piece: Buffer) => {
    errors += piece.toString()
  })
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      errors += error.message
      resolve(null)
    })
    child.once('close', resolve)
  })
  return { code, output, errors }
}

describe('the client in other versions of Node', function () {
  this.timeout(300_000)
  const directory = temporaryDirectory()
  let edge: Edge

  let code = ''

  before(async () => {
    code = await bundled(CLIENT)
    edge = await startEdge({ backends: { direct_llm: answering('direct_llm', 'Hello ', 'there') } })
  })
  beforeEach(() => writeFileSync(directory.path('client.mjs'), code))
  after(() => edge.close())

  const smoke = async (node: string): Promise<Ran> => {
    const token = (await bearer()).replace('Bearer ', '')
    return run(node, ['test/client/smoke.mjs', directory.path('client.mjs'), edge.url, token])
  }

  function expectSmoke({ output, errors, code }: Ran, major: number): void {
    expect(code, errors).to.equal(0)
    const { node, ...seen }: Record<string, unknown> = JSON.parse(output)
    expect(String(node).split('.')[0]).to.equal(String(major))
    expect(seen).to.deep.equal({
      kinds: ['open', 'message', 'message', 'done'],
      text: 'Hello there',
      refused: 404,
      end: 'aborted',
    })
  }

  it('runs in this one', async () => {
    expectSmoke(await smoke(process.execPath), Number(process.versions.node.split('.')[0]))
  })

  for (const major of [20, 22, 24])
    it(`runs in Node ${major}`, async function () {
      // The test above has run in this version.
      if (process.versions.node.startsWith(`${major}.`)) return this.skip()
      const there = await run('npx', ['--yes', `node@${major}`, '--print', 'process.execPath'])
      if (there.code !== 0) {
        console.log(`      skipped: npx node@${major} does not run: ${there.errors.trim().split('\n')[0]}`)
        return this.skip()
      }
      expectSmoke(await smoke(there.output.trim()), major)
    })
})
