import { expect } from 'chai'
import { NEUTRAL } from '../../../src/store/override/override.js'
import { operatorEnv, runCli } from '../../support/cli.js'
import { type Edge, startEdge } from '../../support/edge.js'
import { QUIET } from '../../support/fallback-fakes.js'

describe('chat-cutover drill', () => {
  let first: Edge
  let second: Edge
  let env: Record<string, string>

  beforeEach(async () => {
    first = await startEdge()
    second = await startEdge()
    env = await operatorEnv(first)
    follow([first, second])
  })
  afterEach(() => Promise.all([first.close(), second.close()]))

  /** Whatever is commanded to the first replica is in force in all of these. */
  function follow(edges: readonly Edge[]): void {
    const command = first.fallback.command.bind(first.fallback)
    first.fallback.command = async (asked) => {
      const snapshot = await command(asked)
      for (const edge of edges) edge.fallback.own = { on: asked.kind === 'trigger' }
      return snapshot
    }
  }

  const both = () => ['--replica', first.url, '--replica', second.url]
  const kinds = () => first.fallback.commands.map(({ kind }) => kind)

  it('measures on each replica how long decisions take, there and back, and resets', async () => {
    const { code, out, err } = await runCli(['drill', ...both(), '--json'], { env })
    expect([code, err]).to.deep.equal([0, ''])
    const { ok, reset, replicas } = JSON.parse(out)
    expect([ok, reset]).to.deep.equal([true, true])
    expect(replicas.map(({ url }: { url: string }) => url)).to.deep.equal([first.url, second.url])
    for (const { flippedMs, backMs } of replicas) {
      expect(flippedMs).to.be.a('number')
      expect(backMs).to.be.a('number')
    }
    expect(first.fallback.commands[0]).to.include({ kind: 'trigger', reason: 'drill', ttlSeconds: 60 })
    expect(kinds()).to.deep.equal(['trigger', 'reset'])
  })

  it('is for one org where it is asked for, and tells a table', async () => {
    const { code, out } = await runCli(['drill', '--org', 'acme', '--ttl', '30'], { env })
    expect(code).to.equal(0)
    expect(out).to.match(/^replica +on the direct LLM after +back after\nhttp:\S+ +\d+ ms +\d+ ms\n$/)
    expect(first.fallback.commands[0]).to.deep.include({ orgIds: ['acme'], ttlSeconds: 30 })
  })

  it('names the replica that did not follow, and resets all the same', async () => {
    second.fallback.overrideFor = () => ({ on: false, whose: 'own' })
    const { code, out } = await runCli(['drill', ...both(), '--wait', '1'], { env })
    expect(code).to.equal(1)
    expect(out).to.match(
      new RegExp(`\\n${first.url} +\\d+ ms +\\d+ ms\\n${second.url} +not in time +\\d+ ms\\n`),
    )
    expect(kinds()).to.deep.equal(['trigger', 'reset'])
  })

  it('is reset by Ctrl-C', async () => {
    const interrupt = new AbortController()
    const command = first.fallback.command
    first.fallback.command = async (asked) => {
      if (asked.kind === 'trigger') setTimeout(() => interrupt.abort(), 50)
      return command(asked)
    }
    second.fallback.overrideFor = () => ({ on: false, whose: 'own' })
    const { code } = await runCli(['drill', ...both()], { env, interrupt: interrupt.signal })
    expect(code).to.equal(130)
    expect(kinds()).to.deep.equal(['trigger', 'reset'])
  })

  it('leaves an automatic fallback alone that trips meanwhile', async () => {
    const command = first.fallback.command
    first.fallback.command = async (asked) => {
      const snapshot = await command(asked)
      const auto = {
        state: 'fallback',
        trip: { cause: 'health', value: 6, threshold: 6 },
        since: 0,
        holdUntil: 1,
      } as const
      first.fallback.now = { ...snapshot, override: { ...snapshot.override, auto } }
      return snapshot
    }
    const { code, err } = await runCli(['drill'], { env })
    expect(code).to.equal(1)
    expect(err).to.match(/^The runtime fell back by itself meanwhile/)
    expect(kinds()).to.deep.equal(['trigger'])
  })

  it('does not begin over a fallback, an alert or a replica that is not there, but by --force', async () => {
    first.fallback.now = { ...QUIET, override: { ...NEUTRAL, manual: { scope: 'all', reason: 'real' } } }
    const refused = await runCli(['drill'], { env })
    expect([refused.code, refused.err]).to.deep.equal([
      1,
      'There is a fallback already: real. A drill would end it. Wait, or use --force\n',
    ])
    first.fallback.now = { ...QUIET, alerts: [{ kind: 'both_sick' }] }
    expect((await runCli(['drill'], { env })).err).to.match(/^There is an alert: /)
    expect((await runCli(['drill', '--force'], { env })).code).to.equal(0)
    first.fallback.now = QUIET
    first.fallback.commands.length = 0
    await second.close()
    expect((await runCli(['drill', ...both()], { env })).err).to.contain(`No service at ${second.url}`)
    expect(kinds()).to.deep.equal([])
    second = await startEdge()
    expect((await runCli(['drill', '--wait', '60'], { env })).err).to.contain(
      '--wait must be shorter than --ttl',
    )
  })
})
