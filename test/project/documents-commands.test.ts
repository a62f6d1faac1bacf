import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { USAGE as BENCH_USAGE } from '../../bench/usage.js'
import { runCommand } from '../../src/cli/commands.js'
import { faultsSchema } from '../../src/simulator/faults.js'
import { flagdFaultsSchema } from '../../src/simulator/flagd/flagd-faults.js'
import { USAGE as CHAOS_USAGE } from '../chaos/usage.js'
import { USAGE as SIMULATE_USAGE } from '../fallback/grey/usage.js'
import { USAGE as SOAK_USAGE } from '../soak/usage.js'
import { documentPages } from '../support/markdown.js'

/** Commands in the documents: npm's scripts, our command line, shell blocks, faults of the simulators. */

const PAGES = documentPages()

async function helpOf(command: readonly string[]): Promise<{ code: number; text: string }> {
  let text = ''
  const take = (more: string) => {
    text += more
  }
  const code = await runCommand([...command, '--help'], {}, { out: take, err: take })
  return { code, text }
}

/** Everything of a pattern in all pages, with the page. */
const found = (pattern: RegExp) =>
  PAGES.flatMap((page) => [...page.text.matchAll(pattern)].map((match) => ({ path: page.path, match })))

describe('the commands in the documents', () => {
  it('are scripts of package.json', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
    const named = found(/\bnpm (?:run (?:-s )?([\w:-]+)|(test|start))\b/g)
    expect(named.length).to.be.greaterThan(15)
    for (const { path, match } of named)
      expect(scripts, `${path}: ${match[0]}`).to.have.property(match[1] ?? match[2] ?? '')
  })

  it('are commands of chat-cutover with their options', async () => {
    const named = found(/\bnpx chat-cutover ((?:[a-z]+(?:-[a-z]+)*\b ?)+)([^`\n|]*)/g)
    expect(named.length).to.be.greaterThan(1)
    for (const {
      path,
      match: [whole, words = '', rest = ''],
    } of named) {
      const { code, text } = await helpOf(words.trim().split(' '))
      expect(code, `${path}: ${whole}`).to.equal(0)
      for (const [option] of rest.matchAll(/--[A-Za-z-]+/g))
        expect(text, `${path}: ${whole}`).to.contain(` ${option} `)
    }
  })

  it('are of scripts that take those options', async () => {
    const texts: Readonly<Record<string, string>> = {
      demo: (await helpOf(['demo'])).text,
      'flags:validate': (await helpOf(['flags', 'validate'])).text,
      chaos: CHAOS_USAGE,
      simulate: SIMULATE_USAGE,
      soak: SOAK_USAGE,
      mutation: spawnSync(process.execPath, ['test/mutation/main.mjs', '--help'], { encoding: 'utf8' })
        .stdout,
      bench: BENCH_USAGE,
    }
    const named = found(/\bnpm run (?:-s )?([\w:]+) -- ([^`\n]*)/g)
    expect(named.length).to.be.greaterThan(3)
    for (const {
      path,
      match: [whole, script = '', rest = ''],
    } of named)
      for (const [option] of rest.split('#')[0]?.matchAll(/--[A-Za-z-]+/g) ?? [])
        expect(texts[script] ?? '', `${path}: ${whole}`).to.contain(option)
  })

  it('are sound for bash, block by block', () => {
    const blocks = PAGES.flatMap((page) =>
      page.fences.filter(({ language }) => language === 'sh').map((fence) => ({ ...fence, path: page.path })),
    )
    expect(blocks.length).to.be.greaterThan(25)
    const all = blocks.map(({ text }, at) => `block_${at}() {\n:\n${text}}\n`).join('')
    const { status, stderr } = spawnSync('bash', ['-n'], { input: all, encoding: 'utf8' })
    expect(status, stderr).to.equal(0)
  })

  it('set faults the simulators have', () => {
    const named = [
      ...found(/\bfaults (\S+) '(\{[^']*\})'/g),
      ...found(/(\S+)\/_faults [^;\n]*?-d '(\{[^']*\})'/g),
    ]
    expect(named.length).to.be.greaterThan(20)
    for (const {
      path,
      match: [whole, url = '', json = ''],
    } of named) {
      const schema = url.endsWith(':8016') ? flagdFaultsSchema : faultsSchema
      expect(schema.safeParse(JSON.parse(json)).error?.issues, `${path}: ${whole}`).to.equal(undefined)
    }
  })

  it('find what they call beside node_modules', () => {
    for (const script of Object.values<string>(JSON.parse(readFileSync('package.json', 'utf8')).scripts))
      for (const [file] of script.matchAll(/scripts\/\S+/g)) expect(existsSync(file), file).to.equal(true)
  })
})
