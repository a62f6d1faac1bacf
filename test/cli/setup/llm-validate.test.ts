import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { runCommand } from '../../../src/cli/commands.js'
import { endpointJsonSchema } from '../../../src/llm/endpoint-schema.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

async function run(argv: string[], env: Record<string, string> = {}) {
  const said = { out: '', err: '' }
  const code = await runCommand(['llm', ...argv], env, {
    out: (text) => {
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
  })
  return { code, ...said }
}

describe('llm validate', () => {
  const directory = temporaryDirectory()
  const good = { name: 'a', baseUrl: 'http://a.test/v1', model: 'm' }

  function write(name: string, value: unknown): string {
    writeFileSync(directory.path(name), JSON.stringify(value))
    return directory.path(name)
  }

  it('finds a good file good, by its name or by CHAT_LLM_FILE', async () => {
    const file = write('llm.json', [good])
    for (const result of [await run(['validate', file]), await run(['validate'], { CHAT_LLM_FILE: file })])
      expect(result).to.deep.equal({ code: 0, out: `${file}: good\n`, err: '' })
  })

  it('names file, line and column of a fault', async () => {
    const file = write('llm.json', [{ ...good, model: 3 }])
    const { code, out } = await run(['validate', file])
    expect(code).to.equal(1)
    expect(out).to.match(new RegExp(`^${file}:1:\\d+: error: 0.model: must be a string, not a number\\n$`))
    expect(JSON.parse((await run(['validate', '--json', file])).out)).to.deep.include({ valid: false })
  })

  it('warns of a key that is missing here, which stops the start of the service', async () => {
    const file = write('llm.json', [{ ...good, apiKeyEnv: 'KEY' }])
    const { code, out } = await run(['validate', file])
    expect(code).to.equal(0)
    expect(out).to.match(/warning: 0.apiKeyEnv: KEY is not set\n.*: good\n$/)
    expect((await run(['validate', '--keys', file])).code).to.equal(1)
    expect((await run(['validate', '--keys', file], { KEY: 'sk' })).code).to.equal(0)
  })

  it('ends with 2 for a file that cannot be read, no file, and wrong options', async () => {
    expect(await run(['validate', directory.path('none')])).to.include({ code: 2 })
    expect((await run(['validate'])).err).to.contain('set CHAT_LLM_FILE')
    expect((await run(['validate', '--nope'])).err).to.contain('Try: chat-cutover llm validate --help')
  })

  it('has a schema to print', async () => {
    expect(await run(['schema'])).to.deep.equal({ code: 0, out: endpointJsonSchema(), err: '' })
    expect(await run(['schema', 'x'])).to.include({ code: 2, out: '' })
  })
})
