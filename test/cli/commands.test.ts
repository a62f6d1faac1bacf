import { expect } from 'chai'
import { askedOf as askedOfBench } from '../../bench/usage.js'
import { runCommand } from '../../src/cli/commands.js'
import { askedOf as askedOfChaos } from '../chaos/usage.js'

async function run(argv: readonly string[]) {
  const said = { out: '', err: '' }
  const code = await runCommand(
    argv,
    {},
    {
      out: (text) => {
        said.out += text
      },
      err: (text) => {
        said.err += text
      },
    },
  )
  return { code, ...said }
}

describe('chat-cutover', () => {
  for (const argv of [['--help'], ['-h'], ['help']])
    it(`tells its commands when asked: ${argv}`, async () => {
      const { code, out, err } = await run(argv)
      expect([code, err]).to.deep.equal([0, ''])
      for (const command of ['demo', 'baseline', 'flags validate', 'llm validate', 'llm schema'])
        expect(out).to.contain(`\n  ${command} `)
    })

  const helps = [
    ['demo', '--help'],
    ['baseline', '-h'],
    ['flags', 'validate', '--help'],
    ['flags', '--help'],
    ['llm', '--help'],
    ['llm', 'validate', '--help'],
    ['llm', 'schema', '--help'],
    ['help', 'baseline'],
    ['help', 'flags', 'validate'],
  ]
  for (const argv of helps)
    it(`tells a command's options and exit codes when asked: ${argv.join(' ')}`, async () => {
      const { code, out, err } = await run(argv)
      expect([code, err]).to.deep.equal([0, ''])
      expect(out).to.contain('Usage: chat-cutover ').and.contain('--help').and.contain('Exit code: 0')
    })

  const wrong: [argv: string[], said: string][] = [
    [[], 'Usage: chat-cutover <command>'],
    [['basline'], 'Unknown command: basline.\nTry: chat-cutover --help\n'],
    [['flags'], 'A word is missing behind flags. There are: chat-cutover flags show'],
    [['llm'], 'There are: chat-cutover llm validate, chat-cutover llm schema'],
    [['llm', 'check'], 'Unknown command: llm check'],
    [['flags', 'check'], 'Unknown command: flags check'],
    [['help', 'nothing'], 'Unknown command: nothing'],
    [['demo', '--nope'], 'Try: chat-cutover demo --help'],
    [['demo', '--port', '70000'], '--port must be a number from 0 to 65535, not 70000'],
    [['demo', '--port', 'http'], '--port must be a number from 0 to 65535, not http'],
    [['baseline', 'extra'], 'Try: chat-cutover baseline --help'],
  ]
  for (const [argv, said] of wrong)
    it(`ends with 2 and says what is wrong: ${argv.join(' ') || 'no command'}`, async () => {
      const { code, out, err } = await run(argv)
      expect([code, out]).to.deep.equal([2, ''])
      expect(err).to.contain(said)
    })

  it('tells its version', async () => {
    expect((await run(['--version'])).out).to.match(/^\d+\.\d+\.\d+\n$/)
  })
})

describe('npm run chaos', () => {
  const drills = ['killed for 5 s', 'flagd killed', 'disk full']
  const all = { kind: 'run', names: drills, isAll: true, numbers: true, write: false }

  it('runs what is asked for', () => {
    expect(askedOfChaos([], drills)).to.deep.equal(all)
    expect(askedOfChaos(['--write'], drills)).to.deep.equal({ ...all, write: true })
    expect(askedOfChaos(['--numbers'], drills)).to.deep.equal({ ...all, names: [] })
    expect(askedOfChaos(['killed', 'disk'], drills)).to.deep.include({ isAll: false, numbers: false })
    expect(askedOfChaos(['flagd'], drills)).to.deep.include({ names: ['flagd killed'] })
  })

  it('tells, and runs nothing, when asked', () => {
    expect(askedOfChaos(['--help'], drills)).to.deep.equal({ kind: 'help' })
    expect(askedOfChaos(['-h'], drills)).to.deep.equal({ kind: 'help' })
    expect(askedOfChaos(['--list'], drills)).to.deep.equal({ kind: 'list' })
  })

  for (const argv of [['--nmbers'], ['-n'], ['kiled'], ['flagd', 'kiled'], ['--numbers', 'flagd']])
    it(`refuses what would run nothing: ${argv.join(' ')}`, () => {
      expect(askedOfChaos(argv, drills).kind).to.equal('wrong')
    })
})

describe('npm run bench', () => {
  it('runs what is asked for, in its own order', () => {
    expect(askedOfBench(['report', 'relay'])).to.deep.equal({ kind: 'run', names: ['relay', 'report'] })
    expect(askedOfBench([])).to.have.deep.property('kind', 'run')
    expect(askedOfBench(['--help', 'relay'])).to.deep.equal({ kind: 'help' })
  })

  for (const name of ['nope', '--nope', 'toString'])
    it(`refuses what there is not: ${name}`, () => {
      expect(askedOfBench([name])).to.deep.equal({ kind: 'wrong', fault: `Unknown bench: ${name}` })
    })
})
