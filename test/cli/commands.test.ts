import { expect } from 'chai'
import { askedOf as askedOfBench } from '../../bench/usage.js'
import { runCommand } from '../../src/cli/commands.js'
import { askedOf as askedOfChaos } from '../chaos/usage.js'

async function run(argv: readonly string[], env: Record<string, string> = {}) {
  const said = { out: '', err: '' }
  const code = await runCommand(argv, env, {
    out: (text) => {
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
  })
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
    [
      ['basline'],
      'Unknown command: basline. Did you mean chat-cutover baseline?\nTry: chat-cutover --help\n',
    ],
    [
      ['history'],
      'Unknown command: history. Did you mean chat-cutover fallback history or chat-cutover rollout history',
    ],
    [['flags', 'validate', 'nowhere.json'], 'nowhere.json: cannot be read: ENOENT (there is no such file)\n'],
    [['flags', 'diff', 'src'], 'src cannot be read: EISDIR (it is a directory)'],
    [['flags'], 'flags needs a subcommand. There are: chat-cutover flags show'],
    [['llm'], 'There are: chat-cutover llm validate, chat-cutover llm schema'],
    [['--lang'], 'Usage: chat-cutover <command>'],
    [['--lang', 'de'], '--lang must be one of zh-CN, en, not de\nTry: chat-cutover --help\n'],
    [['--lang=de', 'flags', 'validate'], '--lang must be one of zh-CN, en, not de'],
    [['flags', 'validate', '--lang='], '--lang must be one of zh-CN, en, not '],
    [
      ['--timeout', 'x', 'status'],
      "option '--timeout <seconds>' argument 'x' is invalid. It must be a whole",
    ],
    [['--json', '--timeout=0', 'flags', 'show'], "option '--timeout <seconds>' argument '0' is invalid."],
    [['--timeout', '5', 'demo'], 'Try: chat-cutover demo --help'],
    [['--wait', '5', 'drill'], '--wait is no command; its options follow a command'],
    [['--lang', 'zh-CN'], '用法：chat-cutover <命令>'],
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

  for (const words of [['demo'], ['flags', 'validate'], ['llm', 'validate'], ['llm', 'schema']])
    it(`speaks Chinese where it is asked to, as every other command does: ${words.join(' ')}`, async () => {
      const asked = await run([...words, '--help', '--lang', 'zh-CN'])
      const byLocale = await run([...words, '--help'], { LANG: 'zh_CN.UTF-8' })
      expect(asked).to.deep.equal(byLocale)
      expect(asked.code).to.equal(0)
      expect(asked.out).to.contain('用法：chat-cutover ').and.contain('退出码（Exit code: 0')
      // Options and files are those of the English text.
      const names = (text: string) => new Set(text.match(/--[a-z]+|CHAT_[A-Z_]+/g))
      expect(names(asked.out)).to.deep.equal(names((await run([...words, '--help'])).out))
      const wrong = await run([...words, '--nothing', '--lang', 'zh-CN'])
      expect([wrong.code, wrong.out]).to.deep.equal([2, ''])
      expect(wrong.err).to.match(/[\u4e00-\u9fff][\s\S]*\n请参阅：chat-cutover /)
    })

  it('tells what is wrong in a file in the same form in every language', async () => {
    const zh = await run(['flags', 'validate', 'package.json', '--lang', 'zh-CN'])
    expect(zh).to.deep.equal({ code: 1, err: '', out: 'package.json:1:1: error: 缺少 "flags"\n' })
    const en = await run(['flags', 'validate', 'package.json'])
    expect(en).to.deep.equal({ code: 1, err: '', out: 'package.json:1:1: error: "flags" is missing\n' })
    const good = await run(['flags', 'validate', '--lang', 'zh-CN'])
    expect([good.code, good.out.split('\n')[0]]).to.deep.equal([0, 'flags/chat.flagd.json：没有错误'])
  })

  for (const words of [
    ['--lang', 'de', 'status'],
    ['--lang=de', 'status'],
    ['demo', '--lang=de'],
    ['status', '--lang', 'de'],
  ])
    it(`refuses a language that it does not speak in the one of the locale: ${words.join(' ')}`, async () => {
      const { code, out, err } = await run(words, { LANG: 'zh_CN.UTF-8' })
      expect([code, out]).to.deep.equal([2, ''])
      expect(err).to.equal('--lang 必须是以下值之一：zh-CN、en，而不是 de\n请参阅：chat-cutover --help\n')
    })

  for (const words of [['--lang', 'zh-CN'], ['--lang=zh-CN'], ['--json', '--lang=zh-CN']])
    it(`takes the language before a command: ${words.join(' ')}`, async () => {
      expect((await run([...words, 'status', '--help'])).out).to.match(/用法： ?chat-cutover status/)
      expect((await run([...words, 'help', 'status'])).out).to.match(/用法： ?chat-cutover status/)
      expect((await run([...words, '--help'])).out).to.contain('用法：chat-cutover <命令>')
    })

  const zhWrong: [argv: string[], said: string][] = [
    [['demo', '--nope'], "用法错误：未知选项 '--nope'\n请参阅：chat-cutover demo --help\n"],
    [['demo', 'x'], "用法错误：多余的参数 'x'\n"],
    [['flags', 'validate', '--override'], "用法错误：选项 '--override <value>' 缺少取值\n"],
    [['baseline', '--json=1'], "用法错误：选项 '--json' 不带取值\n请参阅：chat-cutover baseline --help\n"],
    [['flags', 'validate', 'nowhere.json'], 'nowhere.json：无法读取：ENOENT（文件不存在）\n'],
    [['history'], '未知命令：history。是否应为 chat-cutover fallback history 或 '],
  ]
  for (const [argv, said] of zhWrong)
    it(`says what is wrong in Chinese alone: ${argv.join(' ')}`, async () => {
      const { code, out, err } = await run(argv, { LANG: 'zh_CN.UTF-8' })
      expect([code, out]).to.deep.equal([2, ''])
      expect(err).to.contain(said)
    })

  it('tells its version', async () => {
    expect((await run(['--version'])).out).to.match(/^\d+\.\d+\.\d+\n$/)
  })
})

describe('npm run chaos', () => {
  const drills = ['killed for 5 s', 'flagd killed', 'disk full']
  const names = { files: drills, fleet: ['redis killed', 'link cut'] }
  const all = { kind: 'run', suite: 'files', names: drills, isAll: true, numbers: true, write: false }

  it('runs what is asked for', () => {
    expect(askedOfChaos([], names)).to.deep.equal(all)
    expect(askedOfChaos(['--write'], names)).to.deep.equal({ ...all, write: true })
    expect(askedOfChaos(['--numbers'], names)).to.deep.equal({ ...all, names: [] })
    expect(askedOfChaos(['killed', 'disk'], names)).to.deep.include({ isAll: false, numbers: false })
    expect(askedOfChaos(['flagd'], names)).to.deep.include({ names: ['flagd killed'] })
  })

  it('runs the drills of a fleet only where they are asked for', () => {
    const fleet = { ...all, suite: 'fleet', names: names.fleet, numbers: false }
    expect(askedOfChaos(['fleet'], names)).to.deep.equal(fleet)
    expect(askedOfChaos(['fleet', 'redis'], names)).to.deep.include({ names: ['redis killed'], isAll: false })
    expect(askedOfChaos(['fleet', '--list'], names)).to.deep.equal({ kind: 'list', suite: 'fleet' })
  })

  it('tells, and runs nothing, when asked', () => {
    expect(askedOfChaos(['--help'], names)).to.deep.equal({ kind: 'help' })
    expect(askedOfChaos(['-h'], names)).to.deep.equal({ kind: 'help' })
    expect(askedOfChaos(['--list'], names)).to.deep.equal({ kind: 'list', suite: 'files' })
  })

  for (const argv of [
    ['--nmbers'],
    ['-n'],
    ['kiled'],
    ['flagd', 'kiled'],
    ['--numbers', 'flagd'],
    ['fleet', 'flagd'],
  ])
    it(`refuses what would run nothing: ${argv.join(' ')}`, () => {
      expect(askedOfChaos(argv, names).kind).to.equal('wrong')
    })
})

describe('npm run bench', () => {
  it('runs what is asked for, in its own order', () => {
    const asked = { kind: 'run', names: ['relay', 'report'], write: false }
    expect(askedOfBench(['report', 'relay'])).to.deep.equal(asked)
    expect(askedOfBench(['report', '--write', 'relay'])).to.deep.equal({ ...asked, write: true })
    expect(askedOfBench([])).to.have.deep.property('kind', 'run')
    const loop = { kind: 'run', names: ['overload'], write: false, part: 'loop' }
    expect(askedOfBench(['overload', '--part=loop'])).to.deep.equal(loop)
    expect(askedOfBench(['--help', 'relay'])).to.deep.equal({ kind: 'help' })
  })

  const wrongParts: [argv: string[], fault: string][] = [
    [['overload', '--part=all'], '--part is one of places, loop, fairness'],
    [['overload', '--part='], '--part is one of places, loop, fairness'],
    [['overload', '--part=loop', '--part=places'], '--part is one of places, loop, fairness'],
    [['overload', '--part=loop', '--write'], '--write needs all parts'],
    [['relay', '--part=loop'], 'Only overload has parts'],
  ]
  for (const [argv, fault] of wrongParts)
    it(`refuses a part that there is not: ${argv.join(' ')}`, () => {
      expect(askedOfBench(argv)).to.deep.equal({ kind: 'wrong', fault })
    })

  for (const name of ['nope', '--nope', 'toString'])
    it(`refuses what there is not: ${name}`, () => {
      expect(askedOfBench([name])).to.deep.equal({ kind: 'wrong', fault: `Unknown bench: ${name}` })
    })
})
