import { readFileSync } from 'node:fs'
import { MemoryStorage } from '@openfeature/flagd-core'
import { expect } from 'chai'
import fc from 'fast-check'
import { checkFlagDocument } from '../../../src/decision/check/ops-file-check.js'
import { FLAG_KEYS, type FlagFileKind } from '../../../src/decision/flags.js'
import { silentSdkLogger } from '../../../src/decision/sdk-logger.js'
import { inBothLanguages } from '../../support/in-both-languages.js'

const OPS = readFileSync('flags/chat.flagd.json', 'utf8')
const OVERRIDE = readFileSync('flags/auto-fallback.flagd.json', 'utf8')

/** `line: path` of each error, in the order of the text. */
function errors(text: string, kind: FlagFileKind = 'ops'): string[] {
  return inBothLanguages(checkFlagDocument(text, kind))
    .filter(({ severity }) => severity === 'error')
    .map(({ line, path }) => `${line}: ${path}`)
}

function messages(text: string, kind: FlagFileKind = 'ops'): string {
  return inBothLanguages(checkFlagDocument(text, kind))
    .map(({ message }) => message)
    .join('\n')
}

/** The shipped operators' file with one text replaced, and the line it is on. */
function edited(before: string, after: string): { text: string; line: number } {
  const offset = OPS.indexOf(before)
  if (offset === -1) throw new Error(`not in the shipped file: ${before}`)
  return { text: OPS.replace(before, after), line: OPS.slice(0, offset).split('\n').length }
}

/** The same document with its flags as a list. */
function asList(text: string): string {
  const { flags, ...rest }: { flags: Record<string, object> } = JSON.parse(text)
  const list = Object.entries(flags).map(([key, flag]) => ({ key, ...flag }))
  return JSON.stringify({ ...rest, flags: list }, null, 2)
}

function deepRule(levels: number): string {
  const rule = `${'{"if":['.repeat(levels)}true${']}'.repeat(levels)}`
  return OPS.replace('{ "var": "orgId" }', rule)
}

describe('the check of a flag file', () => {
  it('finds nothing in the shipped files', () => {
    expect(checkFlagDocument(OPS, 'ops')).to.deep.equal([])
    expect(checkFlagDocument(OVERRIDE, 'override')).to.deep.equal([])
  })

  const schemaFaults: readonly [name: string, flag: object, zh: RegExp][] = [
    ['a wrong type', { targeting: { if: 'x' } }, /：类型必须是 array$/],
    ['none of several types', { metadata: { x: [] } }, /：类型必须是 string,number,boolean$/],
    ['too few members', { targeting: { starts_with: [1] } }, /：至少 2 项$/],
    ['a wrong form', { targeting: { sem_ver: ['1', '=', '2'] } }, /：格式必须匹配 "\^/],
  ]
  for (const [name, part, zh] of schemaFaults)
    it(`says in Chinese too what flagd's schema has against ${name}`, () => {
      const flag = { state: 'ENABLED', variants: { on: true }, defaultVariant: 'on', ...part }
      const [issue] = checkFlagDocument(JSON.stringify({ flags: { mine: flag } }), 'ops')
      expect(issue?.message).to.match(/^against flagd's schema: must /)
      expect(issue?.zh).to.match(zh)
    })

  for (const [name, text, message] of [
    ['an empty file', '', /empty/],
    ['blanks', ' \n', /empty/],
    ['a torn file', OPS.slice(0, 400), /not JSON/],
    ['a comment', `// no\n${OPS}`, /not JSON/],
    ['a trailing comma', '{"flags": {},}', /not JSON/],
    ['a byte order mark', `\ufeff${OPS}`, /byte order mark/],
    ['null', 'null', /must be an object/],
    ['a list', '[]', /must be an object/],
    ['no flags', '{}', /"flags" is missing/],
    ['flags that are a text', '{"flags": ""}', /must be an object or a list/],
    ['brackets without end', '['.repeat(200_000), /deeper than 256/],
    ['a rule of endless depth', deepRule(20_000), /deeper than 256/],
  ] as const)
    it(`refuses ${name}`, () => {
      const issues = checkFlagDocument(text, 'ops')
      expect(issues.map(({ refuses }) => refuses)).to.include('file')
      expect(messages(text)).to.match(message)
    })

  it('takes a file without flags as a wish from operators and as a fault from the service', () => {
    expect(errors('{"flags": {}}')).to.deep.equal([])
    expect(errors('{"flags": {}}', 'override')).to.deep.equal(['1: flags'])
  })

  it('counts no bracket inside a text as depth', () => {
    expect(errors(OPS.replace('"operations"', JSON.stringify(`\\"${'['.repeat(300)}`)))).to.deep.equal([])
    expect(errors(deepRule(100))).to.deep.equal([])
  })

  it('names the line of a wrong state', () => {
    const { text, line } = edited('"state": "ENABLED"', '"state": "enabled"')
    expect(errors(text)).to.deep.equal([`${line}: flags.${FLAG_KEYS.mode}.state`])
  })

  it('names the flag without a state', () => {
    const { text, line } = edited('"state": "ENABLED",', '')
    expect(errors(text)).to.deep.equal([`${line - 1}: flags.${FLAG_KEYS.mode}.state`])
  })

  it('names the line of a default variant that is none', () => {
    const { text, line } = edited('"defaultVariant": "auto"', '"defaultVariant": "aut"')
    expect(errors(text)).to.deep.equal([`${line}: flags.${FLAG_KEYS.policy}.defaultVariant`])
    expect(messages(text)).to.match(/auto, observe, off/)
  })

  it('names an unknown operator, a reference to nothing, and a variant that is none', () => {
    const rule = `flags.${FLAG_KEYS.mode}.targeting`
    const condition = '{ "$ref": "runtime-enabled-orgs" }'
    for (const [after, wrong] of [
      ['{ "matches": [] }, "runtime_orchestrator"', 'if.0.matches'],
      ['{ "$ref": "other" }, "runtime_orchestrator"', 'if.0.$ref'],
      [`${condition}, "runtime"`, 'if.1'],
    ] as const) {
      const { text, line } = edited(`${condition}, "runtime_orchestrator"`, after)
      expect(errors(text)).to.deep.equal([`${line}: ${rule}.${wrong}`])
    }
  })

  for (const [name, shares, wrong] of [
    ['a fraction as weight', '["on", 0.5], ["off", 99]', 'fractional.0'],
    ['a negative weight', '["on", 1], ["off", -1]', 'fractional.1'],
    ['a weight as text', '["on", "10"], ["off", 90]', 'fractional.0'],
    ['a share of three', '["on", 10, 1], ["off", 90]', 'fractional.0'],
    ['weights beyond 32 bits', '["on", 2147483647], ["off", 1]', 'fractional'],
    ['no share', '', 'fractional'],
    ['a share for a variant that is none', '["onn", 10], ["off", 90]', 'fractional.0.0'],
  ] as const)
    it(`refuses ${name} in "fractional"`, () => {
      const text = `{"flags": {"${FLAG_KEYS.shadow}": {"state": "ENABLED", "variants": {"on": true, "off": false},
        "defaultVariant": null, "targeting": {"fractional": [${shares}]}}}}`
      expect(errors(text)).to.deep.equal([`2: flags.${FLAG_KEYS.shadow}.targeting.${wrong}`])
    })

  it('takes "fractional" with a value to bucket by, with a weight that is a rule, and without weights', () => {
    for (const shares of [
      '{"var": "orgId"}, ["on", 1], ["off", 1]',
      '["on", {"if": [true, 1, 2]}], ["off", 3]',
      '["on"], ["off"]',
    ]) {
      const text = `{"flags": {"x": {"state": "ENABLED", "variants": {"on": true, "off": false},
        "defaultVariant": "off", "targeting": {"fractional": [${shares}]}}}}`
      expect(errors(text), shares).to.deep.equal([])
    }
  })

  it('names a key that is there twice', () => {
    expect(errors('{"flags": {},\n "flags": {}}')).to.deep.equal(['2: flags'])
  })

  it('reads flags in a list like flags in an object, with the lines of the list', () => {
    expect(checkFlagDocument(asList(OPS), 'ops')).to.deep.equal([])
    expect(checkFlagDocument(asList(OVERRIDE), 'override')).to.deep.equal([])
    expect(errors('{"flags": []}', 'override')).to.deep.equal(['1: flags'])
    for (const [before, after, path] of [
      ['"defaultVariant": "auto"', '"defaultVariant": "aut"', `${FLAG_KEYS.policy}.defaultVariant`],
      ['"ENABLED"', '"on"', `${FLAG_KEYS.mode}.state`],
      ['"timeoutRate": 0.3', '"timeoutRate": 3', `${FLAG_KEYS.guardrails}.variants.standard.timeoutRate`],
    ] as const) {
      const list = asList(OPS)
      const line = list.slice(0, list.indexOf(before)).split('\n').length
      expect(errors(list.replace(before, after))).to.deep.equal([`${line}: flags.${path}`])
    }
  })

  it('names the places in a list that only the schema of flagd knows', () => {
    const text = asList(OPS).replace('"description"', '"deep": {},\n        "description"')
    expect(text).to.include('"deep"')
    const line = text.slice(0, text.indexOf('"deep"')).split('\n').length
    expect(errors(text)[0]).to.match(new RegExp(`^${line}: flags\\.[\\w-]+\\.metadata\\.deep$`))
  })

  it('names a flag that is in a list twice, and an entry without a key', () => {
    const entry = (key: string, line = '') =>
      `{"key": ${key},${line} "state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"}`
    const list = (...entries: string[]) => `{"flags": [\n${entries.join(',\n')}]}`
    expect(errors(list(entry('"a"'), entry('"b"'), entry('"a"')))).to.deep.equal(['4: flags.a'])
    expect(messages(list(entry('"a"'), entry('"a"')))).to.equal('"a" is there twice')
    expect(errors(list(entry('"a"'), entry('""'), entry('7'), 'null', '{}'))).to.deep.equal([
      '3: flags.1',
      '4: flags.2',
      '5: flags.3',
      '6: flags.4',
    ])
    expect(errors(list(entry('"a"', ' "key": "b",')))).to.deep.equal(['2: flags.0.key'])
    expect(errors(list(entry('"a"', ' "state": "ENABLED",')))).to.deep.equal(['2: flags.a.state'])
  })

  it('refuses our flag, not the file, for a value of a wrong type or range', () => {
    const { text, line } = edited('"timeoutRate": 0.3', '"timeoutRate": 3')
    const issues = checkFlagDocument(text, 'ops')
    expect(issues).to.have.length(1)
    expect(issues[0]).to.include({ line, refuses: 'flag', severity: 'error' })
    expect(issues[0]?.path).to.equal(`flags.${FLAG_KEYS.guardrails}.variants.standard.timeoutRate`)
  })

  it('warns of a guardrail that nobody knows, with its line: it is ignored, and refuses nothing', () => {
    const { text, line } = edited('"minSamples": 10', '"minSample": 10')
    const issues = checkFlagDocument(text, 'ops')
    expect(issues).to.have.length(1)
    expect(issues[0]).to.include({ line, severity: 'warning' })
    expect(issues[0]?.path).to.equal(`flags.${FLAG_KEYS.guardrails}.variants.standard.minSample`)
    expect(issues[0]?.message).to.match(/"minSample".*does not read it/)
  })

  it("names a mode that is none, a profile's unknown field and a policy that is none", () => {
    expect(errors(edited('"direct_llm": "direct_llm"', '"direct_llm": "direct"').text)).to.have.length(1)
    expect(errors(edited('"maxTokens": 400', '"max_tokens": 400').text)).to.have.length(1)
    expect(errors(edited('"observe": "observe"', '"observe": "watch"').text)).to.have.length(1)
  })

  it("names the other file's flag", () => {
    expect(checkFlagDocument(OVERRIDE, 'ops')[0]).to.include({ refuses: 'flag', severity: 'error' })
    const both = JSON.stringify({ flags: { ...JSON.parse(OPS).flags, ...JSON.parse(OVERRIDE).flags } })
    expect(errors(both, 'override').length).to.be.greaterThan(4)
  })

  it('warns of a flag that is named nearly as ours', () => {
    const { text } = edited(`"${FLAG_KEYS.policy}"`, '"chat-runtime-falback-policy"')
    expect(checkFlagDocument(text, 'ops').map(({ severity }) => severity)).to.deep.equal(['warning'])
  })

  it("names what only flagd's schema knows, at the nearest place, for each flag", () => {
    const flag = (extra: string) =>
      `{"state": "ENABLED", "variants": {"a": true}, "defaultVariant": "a"${extra}}`
    const text = `{"flags": {\n"x": ${flag(', "metadata": {"deep": {}}')},\n"y": ${flag(', "targeting": []')},\n"z": ${flag('').replace('true', 'true, "b": 1')}}}`
    const found = errors(text)
    expect(found[0]).to.equal('2: flags.x.metadata.deep')
    expect(found[1]).to.equal('3: flags.y.targeting')
    expect(found[2]).to.match(/^4: flags\.z\.variants/)
    expect(found).to.have.length(3)
  })

  it('lets nothing pass that flagd-core refuses, whatever is cut out of a file', () => {
    fc.assert(
      fc.property(fc.nat(OPS.length - 1), fc.integer({ min: 1, max: 40 }), (from, length) => {
        const text = OPS.slice(0, from) + OPS.slice(from + length)
        if (errors(text).length > 0) return
        new MemoryStorage(silentSdkLogger).setConfigurations(text, true)
      }),
      { numRuns: 100 },
    )
  })
})
