import { readFileSync } from 'node:fs'
import { FlagdCore, MemoryStorage } from '@openfeature/flagd-core'
import { expect } from 'chai'
import { closestName } from '../../../src/core/closest-name.js'
import { silentLogger } from '../../../src/core/logger.js'
import { evaluationContext } from '../../../src/decision/caller.js'
import { loadFlags } from '../../../src/decision/check/flag-source.js'
import { checkFlagDocument } from '../../../src/decision/check/ops-file-check.js'
import { FlagFaults } from '../../../src/decision/flag-faults.js'
import { guardrailsSchema } from '../../../src/decision/guardrails.js'
import { silentSdkLogger } from '../../../src/decision/sdk-logger.js'
import { RefusedFlags } from '../../../src/decision/values/refused-flags.js'
import { createValueParser } from '../../../src/decision/values/value-parser.js'
import { inBothLanguages } from '../../support/in-both-languages.js'
import { manualClock } from '../../support/manual-clock.js'

const OPS = readFileSync('flags/chat.flagd.json', 'utf8')
const RULE = '"in": [{ "var": "orgId" }, []]'

/** The shipped file with the list of orgs replaced. */
const withRule = (rule: string): string => OPS.replace(RULE, rule)
const withList = (list: string): string => withRule(`"in": [{ "var": "orgId" }, ${list}]`)
const LINE = OPS.slice(0, OPS.indexOf(RULE)).split('\n').length

/** `severity line: message` of each finding. */
const found = (text: string): string[] =>
  inBothLanguages(checkFlagDocument(text, 'ops')).map(
    ({ severity, line, message }) => `${severity} ${line}: ${message}`,
  )

describe('what a flag file means', () => {
  it('is the danger of a text where a list belongs: org "me" is in', () => {
    const storage = new MemoryStorage(silentSdkLogger)
    storage.setConfigurations(withList('"acme,globex"'), true)
    const context = evaluationContext({ orgId: 'me', userId: 'u', agentId: 'a', sessionId: 's' })
    const { value } = new FlagdCore(storage, silentSdkLogger).resolveStringEvaluation(
      'chat-execution-mode',
      'direct_llm',
      context,
      silentSdkLogger,
    )
    expect(value).to.equal('runtime_orchestrator')
  })

  for (const [what, text, expected] of [
    [
      'a text where a list belongs',
      withList('"acme,globex"'),
      /^error 9: .*any orgId that is a part of "acme,globex" matches; did you mean the list \["acme", "globex"\]\?$/,
    ],
    ['a text of one org', withList('"acme"'), /did you mean the list \["acme"\]\?$/],
    [
      'commas inside a member',
      withList('["acme,globex", "x"]'),
      /^error 9: "acme,globex" is one orgId that contains the separators; did you mean "acme", "globex"\?$/,
    ],
    [
      'a blank after a member',
      withList('["acme "]'),
      /^error 9: no orgId starts or ends with a space; did you mean "acme"\?$/,
    ],
    [
      'a blank inside a member',
      withList('["acme globex"]'),
      /^error 9: no orgId contains a space; did you mean "acme", "globex"\?$/,
    ],
    ['an empty member', withList('[""]'), /^error 9: no orgId is empty; it can go$/],
    [
      'a number as a member',
      withList('[42]'),
      /^error 9: 42 is not a string, and every orgId is one; did you mean "42"\?$/,
    ],
    ['an org twice', withList('["acme", "b", "acme"]'), /^error 9: "acme" is listed twice$/],
    [
      'a key that does not exist',
      withRule('"in": [{ "var": "orgID" }, ["a"]]'),
      /^error 9: a caller's context has no "orgID", so it is always null; did you mean "orgId"\?$/,
    ],
    [
      'a key in other words',
      withRule('"in": [{ "var": "organisation" }, ["a"]]'),
      /so it is always null; it has targetingKey, orgId, userId, agentId, sessionId$/,
    ],
    [
      'a key with a default',
      withRule('"in": [{ "var": ["org_id", ""] }, ["a"]]'),
      /^error 9: a caller's context has no "org_id".*did you mean "orgId"\?$/,
    ],
    [
      'a comparison',
      withRule('"==": [{ "var": "orgId" }, "acme "]'),
      /^error 9: no orgId starts or ends with a space/,
    ],
    [
      'a rule deep inside',
      withRule('"and": [true, { "!": { "in": [{ "var": "orgId" }, "acme"] } }]'),
      /^error 9: .*did you mean the list/,
    ],
  ] as const)
    it(`is found out: ${what}`, () => {
      expect(found(text)).to.have.length(1)
      expect(found(text)[0]).to.match(expected)
      expect(LINE).to.equal(9)
    })

  for (const [what, text] of [
    ['a good list', withList('["acme", "globex"]')],
    ["a part of the caller's own word", withRule('"in": ["@acme", { "var": "userId" }]')],
    ['a name with a blank for a user', withRule('"in": [{ "var": "userId" }, ["Smith, John"]]')],
    ["flagd's own properties", withRule('"<": [{ "var": "$flagd.timestamp" }, 1]')],
    ['items of a list', withRule('"some": [["acme"], { "==": [{ "var": "" }, "acme"] }]')],
    ['a list that is worked out', withRule('"in": [{ "var": "orgId" }, { "merge": [["a"], ["b"]] }]')],
    ['a key that is worked out', withRule('"==": [{ "var": { "cat": ["org", "Id"] } }, "a"]')],
  ] as const)
    it(`is left alone: ${what}`, () => expect(found(text)).to.deep.equal([]))

  it('of flags that are not ours is not looked into', () => {
    const document = JSON.parse(OPS)
    document.flags.theirs = {
      state: 'ENABLED',
      variants: { on: true, off: false },
      defaultVariant: 'off',
      targeting: { if: [{ in: [{ var: 'email' }, 'a,b'] }, 'on', 'off'] },
    }
    expect(found(JSON.stringify(document))).to.deep.equal([])
  })

  it('refuses nothing: flagd takes it too, and all resolvers agree', () => {
    const loaded = loadFlags({ kind: 'text', text: withList('"acme,globex"') }, 'ops', new Map())
    expect(loaded.kind).to.equal('loaded')
    if (loaded.kind !== 'loaded') return
    expect([...loaded.refusedFlags]).to.deep.equal([])
    expect(loaded.flags.has('chat-execution-mode')).to.equal(true)
    expect(loaded.issues.map(({ refuses }) => refuses)).to.deep.equal(['nothing'])
  })
})

describe('what was likely meant', () => {
  const guardrails = (from: string, to: string) => found(OPS.replace(from, to))

  for (const [from, to, expected] of [
    [
      '"errorRate": null',
      '"errorRate": 55',
      /^error \d+: must be at most 1, not 55; did you mean 0.55 for 55%\?$/,
    ],
    ['"timeoutRate": 0.3', '"timeoutRate": "0.3"', /^error \d+: .*; did you mean 0.3 without quotes\?$/],
    ['"scoped": true', '"scoped": "true"', /^error \d+: .*; did you mean true without quotes\?$/],
    ['"minSamples": 10', '"minSamples": 9.7', /^error \d+: .*; did you mean 10\?$/],
    [
      '"holdSeconds": 30',
      '"holdSecond": 30',
      /^warning \d+: "holdSecond" is not a field .*; did you mean "holdSeconds"\?$/,
    ],
    ['"errorRate": null', '"errorrate": null', /; did you mean "errorRate"\?$/],
    [
      '"llm": { "connectMs"',
      '"llm": { "conectMs"',
      /^warning \d+: "llm.conectMs" is not a field .*; did you mean "connectMs"\?$/,
    ],
    [
      '"chat-runtime-shadow"',
      '"chat-runtme-shadow"',
      /^warning \d+: .*; did you mean "chat-runtime-shadow"\?$/,
    ],
    ['"direct_llm": "direct_llm"', '"direct_llm": "direct"', /^error \d+: .*; did you mean "direct_llm"\?$/],
    ['"softFailures"', '"xyz"', /does not read it$/],
    [
      '"maxHoldSeconds": 900',
      '"maxHoldSeconds": 90000000',
      /^error \d+: must be at most 604800, not 90000000$/,
    ],
  ] as const)
    it(`by ${to}`, () => {
      const [first] = guardrails(from, to)
      expect(first).to.match(expected)
    })

  it('of a field that is ignored is told beside one that is refused: in one look', () => {
    const both = OPS.replace('"errorRate": null', '"errorRate": 55').replace('"holdSeconds"', '"holdSecond"')
    expect(
      found(both).map((line) => line.replace(/^(\w+) \d+: .* did you mean (.+)\?$/, '$1: $2')),
    ).to.have.members(['error: 0.55 for 55%', 'warning: "holdSeconds"'])
  })

  it('is a known name a slip away, and never another short one', () => {
    const known = ['orgId', 'userId', 'agentId']
    expect(['orgID', 'org_id', 'ordId', 'usrId'].map((name) => closestName(name, known))).to.deep.equal([
      'orgId',
      'orgId',
      'orgId',
      'userId',
    ])
    expect(['id', 'email', '', 'sessions'].map((name) => closestName(name, known))).to.deep.equal(
      Array(4).fill(undefined),
    )
  })
})

describe('the status', () => {
  it('says what is likely meant by a field that is ignored and by a value that is refused', () => {
    const clock = manualClock()
    const faults = new FlagFaults(clock, silentLogger)
    const refused = new RefusedFlags(faults, clock)
    refused.accept('chat-runtime-guardrails', ['holdSecond', 'llm.gapMS', 'other'])
    expect(faults.list()[0]?.message).to.match(
      /\(holdSecond, llm.gapMS, other\).*; did you mean "holdSeconds" instead of holdSecond\?; did you mean "gapMs" instead of llm.gapMS\?$/,
    )
    const parse = createValueParser(guardrailsSchema, (value) => value)
    const result = parse({ errorRate: 55, timeoutRate: '0.3' })
    expect(result.kind === 'refused' ? result.message : '').to.match(
      /did you mean 0.55 for 55%\?.*did you mean 0.3 without quotes\?/,
    )
  })
})
