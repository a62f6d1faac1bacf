import { FlagdCore, MemoryStorage } from '@openfeature/flagd-core'
import { expect } from 'chai'
import fc from 'fast-check'
import { objectFormText } from '../../src/core/json/flag-list.js'
import { checkFlagDocument } from '../../src/decision/check/ops-file-check.js'
import { silentSdkLogger } from '../../src/decision/sdk-logger.js'
import { type EnvironmentMode, editOpsFile } from '../../src/flag-edits/edit-ops-file.js'
import type { FlagEdit } from '../../src/protocol/flag-edit.js'
import type { ExecutionMode } from '../../src/protocol/modes.js'
import { edited, refusals, SHIPPED, SILENT, valuesOf } from './edited.js'

const cores = new Map<string, FlagdCore>()

function coreOf(text: string): FlagdCore {
  const known = cores.get(text)
  if (known !== undefined) return known
  const storage = new MemoryStorage(silentSdkLogger)
  storage.setConfigurations(objectFormText(text), true)
  const core = new FlagdCore(storage, silentSdkLogger)
  cores.set(text, core)
  return core
}

/** The mode for an org as flagd decides it, with the environment's say where the flag has none. */
function modeFor(text: string, orgId: string, session: string, environment = SILENT): ExecutionMode {
  const byEnvironment = environment.enabledOrgs.includes(orgId) ? 'runtime_orchestrator' : environment.mode
  const { value } = coreOf(text).resolveStringEvaluation(
    'chat-execution-mode',
    byEnvironment,
    { targetingKey: session, orgId },
    silentSdkLogger,
  )
  return value === 'runtime_orchestrator' ? value : 'direct_llm'
}

/** Lines that are in one text and not in the other. */
function changedLines(before: string, after: string): { gone: string[]; new: string[] } {
  const [old, fresh] = [before.split('\n'), after.split('\n')]
  return {
    gone: old.filter((line) => !fresh.includes(line)).map((line) => line.trim()),
    new: fresh.filter((line) => !old.includes(line)).map((line) => line.trim()),
  }
}

describe('an edit of the operators’ file', () => {
  it('changes the lines of its values alone', () => {
    const { text, changes } = edited(SHIPPED, {
      mode: 'runtime_orchestrator',
      guardrails: { minSamples: 20 },
    })
    expect(changedLines(SHIPPED, text)).to.deep.equal({
      gone: ['"minSamples": 10,'],
      new: ['"defaultVariant": "runtime_orchestrator",', '"minSamples": 20,'],
    })
    expect(changes).to.deep.equal([
      { path: 'flags.chat-execution-mode.defaultVariant', before: null, after: 'runtime_orchestrator' },
      { path: 'flags.chat-runtime-guardrails.variants.standard.minSamples', before: 10, after: 20 },
    ])
  })

  it('keeps a file’s own indentation and line ends', () => {
    const tabs = JSON.stringify(JSON.parse(SHIPPED), null, '\t').replaceAll('\n', '\r\n')
    const { text } = edited(tabs, { shadowPercent: 5 })
    expect(text.replaceAll('\r\n', '')).to.not.include('\n')
    expect(text).to.match(/\r\n\t\t\t"targeting": \{\r\n\t\t\t\t"fractional": \[/)
  })

  it('adds and removes orgs and leaves the others where they are', () => {
    const first = edited(SHIPPED, { enabledOrgs: { add: ['acme', 'globex', 'acme'] } })
    expect(valuesOf(first.text).mode).to.deep.equal({
      value: 'direct_llm',
      enabledOrgs: ['acme', 'globex'],
      canaryPercent: 0,
    })
    const second = edited(first.text, { enabledOrgs: { add: ['initech'], remove: ['acme', 'nobody'] } })
    expect(valuesOf(second.text).mode.enabledOrgs).to.deep.equal(['globex', 'initech'])
    expect(second.changes).to.deep.equal([
      {
        path: '$evaluators.runtime-enabled-orgs.in.1',
        before: ['acme', 'globex'],
        after: ['globex', 'initech'],
      },
    ])
    expect(modeFor(second.text, 'globex', 's')).to.equal('runtime_orchestrator')
    expect(modeFor(second.text, 'acme', 's')).to.equal('direct_llm')
    expect(edited(second.text, { enabledOrgs: { set: ['globex', 'initech'] } }).changes).to.deep.equal([])
  })

  it('removes any org of a list, however it is written', () => {
    const lists = ['["a", "b", "c"]', '["a","b","c"]', '[ "a" , "b" , "c" ]', '[\n  "a",\n  "b",\n  "c"\n]']
    for (const list of lists)
      for (const org of ['a', 'b', 'c']) {
        const text = SHIPPED.replace('{ "var": "orgId" }, []', `{ "var": "orgId" }, ${list}`)
        const one = edited(text, { enabledOrgs: { remove: [org] }, mode: 'direct_llm' })
        const left = ['a', 'b', 'c'].filter((other) => other !== org)
        expect(valuesOf(one.text).mode.enabledOrgs, list).to.deep.equal(left)
        expect(one.text.split('\n').length).to.equal(text.split('\n').length - (list.includes('\n') ? 1 : 0))
        const none = edited(one.text, { enabledOrgs: { set: [] } })
        expect(valuesOf(none.text).mode.enabledOrgs).to.deep.equal([])
      }
  })

  it('adds an org in the form of the list, broken into lines where it gets long', () => {
    const short = edited(SHIPPED, { mode: 'direct_llm', enabledOrgs: { add: ['acme', 'globex'] } })
    const list = '"in": [{ "var": "orgId" }, []]'
    const wanted = SHIPPED.replace(list, '"in": [{ "var": "orgId" }, ["acme", "globex"]]')
    expect(short.text).to.equal(wanted.replace('"defaultVariant": null', '"defaultVariant": "direct_llm"'))
    const lines = SHIPPED.replace(
      list,
      '"in": [\n        { "var": "orgId" },\n        [\n          "acme"\n        ]\n      ]',
    )
    const more = edited(lines, { mode: 'direct_llm', enabledOrgs: { add: ['globex'] } })
    expect(changedLines(lines, more.text).new).to.deep.equal([
      '"acme",',
      '"globex"',
      '"defaultVariant": "direct_llm",',
    ])
    const names = Array.from({ length: 20 }, (_, at) => `organisation-${at}`)
    const long = edited(SHIPPED, { enabledOrgs: { add: names } })
    expect(valuesOf(long.text).mode.enabledOrgs).to.deep.equal(names)
    expect(long.text).to.match(/^ +"organisation-19"$/m)
  })

  it('sets a list of any length, and takes doubles out', () => {
    const many = Array.from({ length: 1_000 }, (_, at) => `org-${at}`)
    const long = edited(SHIPPED, { enabledOrgs: { set: many } })
    expect(valuesOf(long.text).mode.enabledOrgs).to.deep.equal(many)
    const half = edited(long.text, { enabledOrgs: { remove: many.slice(0, 500), add: ['acme'] } })
    expect(valuesOf(half.text).mode.enabledOrgs).to.deep.equal([...many.slice(500), 'acme'])
    const double = SHIPPED.replace('{ "var": "orgId" }, []', '{ "var": "orgId" }, ["acme", "acme"]')
    const single = edited(double, { enabledOrgs: { set: ['acme', 'globex'] } })
    expect(valuesOf(single.text).mode.enabledOrgs).to.deep.equal(['acme', 'globex'])
  })

  it('writes what the environment said where it ends the environment’s say', () => {
    const environment: EnvironmentMode = { mode: 'direct_llm', enabledOrgs: ['acme'] }
    const edits: FlagEdit[] = [{ enabledOrgs: { add: ['globex'] } }, { canaryPercent: 5 }]
    for (const edit of edits) {
      const { text } = edited(SHIPPED, edit, environment)
      expect(valuesOf(text).mode).to.deep.include({ value: 'direct_llm' })
      expect(modeFor(text, 'acme', 's', environment)).to.equal('runtime_orchestrator')
    }
    const back = edited(
      edited(SHIPPED, { mode: 'direct_llm' }, environment).text,
      { mode: null },
      environment,
    )
    expect(valuesOf(back.text).mode.value).to.equal(null)
  })

  it('leaves the say to the environment where an org is taken out that nobody has let in', () => {
    const environment: EnvironmentMode = { mode: 'direct_llm', enabledOrgs: ['acme'] }
    const { text } = edited(SHIPPED, { enabledOrgs: { remove: ['nobody'] } }, environment)
    expect(text).to.equal(SHIPPED)
    const without = edited(SHIPPED, { enabledOrgs: { remove: ['acme', 'nobody'] } }, environment).text
    expect(valuesOf(without).mode).to.deep.include({ value: 'direct_llm' })
    expect(modeFor(without, 'acme', 's', environment)).to.equal('direct_llm')
  })

  it('sets a canary, moves it, and takes it away', () => {
    const five = edited(SHIPPED, { canaryPercent: 5, enabledOrgs: { set: ['acme'] } }).text
    const quarter = edited(five, { canaryPercent: 25 }).text
    const sessions = Array.from({ length: 2000 }, (_, index) => `session-${index}`)
    const on = (text: string) =>
      sessions.filter((session) => modeFor(text, 'other', session) === 'runtime_orchestrator')
    expect(on(five).length).to.be.within(60, 140)
    expect(on(quarter).length).to.be.within(420, 580)
    expect(on(quarter)).to.include.members(on(five))
    const none = edited(quarter, { canaryPercent: 0 }).text
    expect(on(none)).to.deep.equal([])
    expect(modeFor(none, 'acme', 's')).to.equal('runtime_orchestrator')
  })

  it('sets and unsets the share of shadows, the policy and the route', () => {
    const first = edited(SHIPPED, {
      shadowPercent: 7,
      fallbackPolicy: 'observe',
      llmRoute: { endpoints: ['b', 'a'] },
    })
    expect(valuesOf(first.text)).to.deep.include({
      shadow: { percent: 7, handMade: false },
      fallbackPolicy: 'observe',
      llmRoute: ['b', 'a'],
    })
    const second = edited(first.text, { shadowPercent: null, llmRoute: null })
    expect(valuesOf(second.text)).to.deep.include({
      shadow: { percent: null, handMade: false },
      llmRoute: null,
    })
    const third = edited(second.text, { llmRoute: { endpoints: ['c'] } })
    expect(valuesOf(third.text).llmRoute).to.deep.equal(['c'])
  })

  it('edits limits field by field, weights org by org, and makes the flag where it is missing', () => {
    const { text, changes } = edited(SHIPPED, { limits: { streamsPerOrg: 5, weights: { acme: 3 } } })
    expect(changes).to.deep.equal([
      { path: 'flags.chat-limits.variants.standard.streamsPerOrg', before: null, after: 5 },
      { path: 'flags.chat-limits.variants.standard.weights.acme', after: 3 },
    ])
    const more = edited(text, { limits: { weights: { globex: 2 } } })
    expect(valuesOf(more.text).limits).to.deep.include({ streamsPerOrg: 5, weights: { acme: 3, globex: 2 } })
    const fewer = edited(more.text, { limits: { weights: { acme: null } } })
    expect(valuesOf(fewer.text).limits).to.deep.include({ streamsPerOrg: 5, weights: { globex: 2 } })
    const older = edited('{"flags": {}}', { limits: { streamsPerUser: 2 } })
    expect(valuesOf(older.text).limits).to.deep.equal({ streamsPerUser: 2 })
    expect(refusals(SHIPPED, { limits: { maxStreams: 0 } })).to.have.lengthOf(1)
  })

  it('edits one field of a block of guardrails', () => {
    const { changes } = edited(SHIPPED, { guardrails: { llm: { gapMs: 30_000 } } })
    expect(changes).to.deep.equal([
      { path: 'flags.chat-runtime-guardrails.variants.standard.llm.gapMs', before: 60_000, after: 30_000 },
    ])
  })

  it('works on flags in a list, and names them by their keys', () => {
    const { flags, ...rest } = JSON.parse(SHIPPED)
    const list = Object.entries(flags).map(([key, flag]) => ({ key, ...Object(flag) }))
    const asList = JSON.stringify({ ...rest, flags: list }, null, 2)
    const { text, changes } = edited(asList, { mode: 'direct_llm', llmRoute: { endpoints: ['a'] } })
    expect(changes.map(({ path }) => path)).to.deep.equal([
      'flags.chat-execution-mode.defaultVariant',
      'flags.chat-llm-route.variants.default.endpoints',
      'flags.chat-llm-route.defaultVariant',
    ])
    expect(checkFlagDocument(text, 'ops').filter(({ severity }) => severity === 'error')).to.deep.equal([])
    expect(valuesOf(text)).to.deep.include({ llmRoute: ['a'] })
  })

  describe('is refused', () => {
    it('with the line where a value is out of range or unknown', () => {
      const [outOfRange] = refusals(SHIPPED, { guardrails: { errorRate: 5 } })
      expect(outOfRange).to.deep.include({
        path: 'flags.chat-runtime-guardrails.variants.standard.errorRate',
      })
      const line = SHIPPED.split('\n').findIndex((text) => text.includes('"errorRate"')) + 1
      expect(outOfRange?.line).to.equal(line)
      const [unknown] = refusals(SHIPPED, { guardrails: { minSample: 5 } })
      expect(unknown?.message).to.match(/not a field/)
    })

    it('where the rule was made by hand', () => {
      const { flags, ...rest } = JSON.parse(SHIPPED)
      flags['chat-execution-mode'].targeting = {
        if: [{ '==': [{ var: 'userId' }, 'me'] }, 'runtime_orchestrator', null],
      }
      flags['chat-runtime-shadow'].targeting = { if: [{ '==': [{ var: 'orgId' }, 'acme'] }, 'on', 'off'] }
      const byHand = JSON.stringify({ ...rest, flags }, null, 2)
      expect(refusals(byHand, { canaryPercent: 5, shadowPercent: 5 }).map(({ path }) => path)).to.deep.equal([
        'flags.chat-execution-mode.targeting',
        'flags.chat-runtime-shadow.targeting',
      ])
      expect(valuesOf(byHand)).to.deep.include({ shadow: { percent: null, handMade: true } })
      expect(valuesOf(byHand).mode).to.deep.equal({ value: null, enabledOrgs: null, canaryPercent: null })
      expect(edited(byHand, { mode: 'direct_llm' }).changes).to.have.length(1)
    })

    it('where the file is broken', () => {
      expect(refusals('{ "flags": {', { mode: 'direct_llm' })[0]).to.include({ line: 1 })
    })
  })

  it('does what it says, is the same a second time, and leaves all other flags as they are', () => {
    const org = fc.constantFrom('a', 'b', 'c', 'd', 'org"x"', '组织')
    const orgs = fc.array(org, { maxLength: 4 })
    const some = fc.array(org, { minLength: 1, maxLength: 4 })
    const edit = fc.record(
      {
        mode: fc.constantFrom<ExecutionMode>('direct_llm', 'runtime_orchestrator'),
        enabledOrgs: fc.oneof(
          fc.record({ set: orgs }),
          fc.record({ add: some, remove: some }),
          fc.record({ add: some }),
        ),
        canaryPercent: fc.integer({ min: 0, max: 100 }),
        shadowPercent: fc.integer({ min: 0, max: 100 }),
        guardrails: fc.record({ minSamples: fc.integer({ min: 1, max: 100 }), scoped: fc.boolean() }),
        fallbackPolicy: fc.constantFrom('auto' as const, 'observe' as const, 'off' as const),
      },
      { requiredKeys: [] },
    )
    const sequence = fc.array(edit, { minLength: 1, maxLength: 5 })
    const indent = fc.constantFrom(undefined, 2, 4, '\t')
    fc.assert(
      fc.property(sequence, indent, orgs, (edits, indentation, environmentOrgs) => {
        const environment: EnvironmentMode = { mode: 'direct_llm', enabledOrgs: environmentOrgs }
        let text =
          indentation === undefined ? SHIPPED : JSON.stringify(JSON.parse(SHIPPED), null, indentation)
        const profile = JSON.stringify(JSON.parse(text).flags['chat-agent-profile'])
        for (const one of edits) {
          if (Object.keys(one).length === 0) continue
          const before = valuesOf(text)
          const result = edited(text, one, environment)
          expect(editOpsFile(result.text, one, environment)).to.deep.equal({
            kind: 'edited',
            text: result.text,
            changes: [],
          })
          const after = valuesOf(result.text)
          if (one.mode !== undefined) expect(after.mode.value).to.equal(one.mode)
          expect(after.mode.canaryPercent).to.equal(one.canaryPercent ?? before.mode.canaryPercent)
          expect(after.shadow.percent).to.equal(one.shadowPercent ?? before.shadow.percent)
          expect(after.fallbackPolicy).to.equal(one.fallbackPolicy ?? before.fallbackPolicy)
          for (const [field, value] of Object.entries(one.guardrails ?? {}))
            expect(after.guardrails?.[field]).to.equal(value)
          if (one.enabledOrgs !== undefined && 'set' in one.enabledOrgs)
            expect(after.mode.enabledOrgs).to.have.members([...new Set(one.enabledOrgs.set)])
          expect(
            checkFlagDocument(result.text, 'ops').filter(({ severity }) => severity === 'error'),
          ).to.deep.equal([])
          expect(JSON.stringify(JSON.parse(result.text).flags['chat-agent-profile'])).to.equal(profile)
          text = result.text
        }
      }),
      { numRuns: 100 },
    )
  })
})
