import { readFileSync } from 'node:fs'
import { FlagdCore, MemoryStorage } from '@openfeature/flagd-core'
import { expect } from 'chai'
import fc from 'fast-check'
import { z } from 'zod'
import { checkFlagDocument, isRefusing } from '../../src/decision/check/ops-file-check.js'
import { FLAG_KEYS } from '../../src/decision/flags.js'
import { silentSdkLogger } from '../../src/decision/sdk-logger.js'
import { editOpsFile } from '../../src/flag-edits/edit-ops-file.js'
import { type FlagEdit, flagEditSchema } from '../../src/protocol/flag-edit.js'
import { NEUTRAL } from '../../src/store/override/override.js'
import { parseOverride, renderOverride } from '../../src/store/override/override-document.js'
import { parseRollout, renderRollout } from '../../src/store/rollout/rollout-document.js'
import { anyOverride } from '../store/override/override-arbitrary.js'
import { type FuzzTarget, fuzzTarget, mangled, mutated } from './target.js'

/** Flag files, the operators' and the service's own: whatever somebody saves, and whatever the service makes of it. */

const OPS = readFileSync('flags/chat.flagd.json', 'utf8')
const OVERRIDE = readFileSync('flags/auto-fallback.flagd.json', 'utf8')

/** Rules that are deep, references that double at each step, lists that are long. */
const heavy: fc.Arbitrary<unknown> = fc.oneof(
  fc.integer({ min: 1, max: 60 }).map(doubling),
  fc.integer({ min: 1, max: 400 }).map(deep),
  fc
    .integer({ min: 1, max: 3000 })
    .map((count) => ({ in: [{ var: 'orgId' }, Array.from({ length: count }, (_, at) => `org-${at}`)] })),
  fc.constant({ $ref: 'self' }),
)

function doubling(steps: number): unknown {
  return {
    $evaluators: Object.fromEntries(
      Array.from({ length: steps }, (_, at) => [
        `e${at}`,
        { and: [{ $ref: `e${at + 1}` }, { $ref: `e${at + 1}` }] },
      ]),
    ),
  }
}

function deep(levels: number): unknown {
  let rule: unknown = true
  for (let at = 0; at < levels; at += 1) rule = { if: [rule, 'on', 'off'] }
  return rule
}

/** A document with one of those as its evaluators, or as the targeting of a flag. */
const weighted = (documents: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.tuple(documents, fc.option(fc.tuple(heavy, fc.nat(10)), { freq: 25 })).map(([document, added]) => {
    if (added === null || typeof document !== 'object' || document === null) return document
    const [value, at] = added
    if (typeof value === 'object' && value !== null && '$evaluators' in value)
      return { ...withTargeting(document, { $ref: 'e0' }, at), ...value }
    return withTargeting(document, value, at)
  })

function withTargeting(document: object, targeting: unknown, at: number): object {
  const flags: unknown = Reflect.get(document, 'flags')
  if (typeof flags !== 'object' || flags === null || Array.isArray(flags)) return document
  const names = Object.keys(flags)
  const name = names[at % Math.max(1, names.length)]
  if (name === undefined) return document
  return { ...document, flags: { ...flags, [name]: { ...Reflect.get(flags, name), targeting } } }
}

/** The same with its flags as a list. */
function asList(document: unknown): unknown {
  if (typeof document !== 'object' || document === null || !('flags' in document)) return document
  const { flags, ...rest } = document
  if (typeof flags !== 'object' || flags === null || Array.isArray(flags)) return document
  return { ...rest, flags: Object.entries(flags).map(([key, flag]) => ({ key, ...flag })) }
}

const textsOf = (documents: fc.Arbitrary<unknown>): fc.Arbitrary<string> => {
  const changed = fc
    .tuple(weighted(mutated(documents)), fc.integer({ min: 0, max: 5 }))
    .map(([document, list]) => (list === 0 ? asList(document) : document))
    .map((document) => JSON.stringify(document, null, 2) ?? '')
  return fc.oneof({ weight: 4, arbitrary: changed }, { weight: 1, arbitrary: mangled(changed) })
}

const EDITS: readonly FlagEdit[] = [
  { mode: 'runtime_orchestrator' },
  { mode: null },
  { enabledOrgs: { add: ['acme', '机构'] } },
  { enabledOrgs: { set: [] } },
  { canaryPercent: 5, enabledOrgs: { remove: ['acme'] } },
  { shadowPercent: 10, fallbackPolicy: 'observe' },
  { guardrails: { errorRate: 0.2 } },
  { llmRoute: null },
]

const opsSchema = z.strictObject({ text: z.string(), edit: z.number() })

const SUBJECTS = [
  {},
  { targetingKey: 's', orgId: 'acme', userId: 'u', agentId: 'a', sessionId: 's' },
  { targetingKey: 's', orgId: '__proto__', userId: '', agentId: 'constructor', sessionId: '\u2028' },
]

/** flagd-core takes what our check lets through, and answers or refuses a question, but throws nothing. */
function expectAnswers(text: string): void {
  const storage = new MemoryStorage(silentSdkLogger)
  storage.setConfigurations(text, true)
  const core = new FlagdCore(storage, silentSdkLogger)
  for (const key of Object.values(FLAG_KEYS))
    for (const context of SUBJECTS) core.resolveObjectEvaluation(key, {}, context, silentSdkLogger)
}

export const flagsTarget: FuzzTarget = fuzzTarget({
  name: 'flag-documents',
  inputs: fc.record({
    text: textsOf(fc.constantFrom<unknown>(JSON.parse(OPS), JSON.parse(OPS), JSON.parse(OVERRIDE))),
    edit: fc.nat(EDITS.length - 1),
  }),
  schema: opsSchema,
  async check({ text, edit: at }) {
    const issues = checkFlagDocument(text, 'ops')
    checkFlagDocument(text, 'override')
    const edit = flagEditSchema.parse(EDITS[at])
    const environment = { mode: 'direct_llm', enabledOrgs: [] } as const
    const edited = editOpsFile(text, edit, environment)
    if (issues.some(({ severity }) => severity === 'error')) return
    const isObjectForm = !/"flags"\s*:\s*\[/.test(text)
    if (isObjectForm) expectAnswers(text)
    if (edited.kind === 'refused') return
    const left = checkFlagDocument(edited.text, 'ops').filter(isRefusing)
    expect(left, 'faults after an edit').to.deep.equal([])
    const again = editOpsFile(edited.text, edit, environment)
    expect(again.kind === 'edited' && again.changes, 'changes of the same edit again').to.deep.equal([])
  },
})

export const overrideTarget: FuzzTarget = fuzzTarget({
  name: 'override-documents',
  inputs: fc.record({
    text: textsOf(
      fc.oneof(
        fc.constant<unknown>(JSON.parse(OVERRIDE)),
        anyOverride.map((override): unknown => JSON.parse(renderOverride(override, OVERRIDE))),
        anyOverride.map((override): unknown => JSON.parse(renderOverride(override))),
      ),
    ),
  }),
  schema: z.strictObject({ text: z.string() }),
  async check({ text }) {
    checkFlagDocument(text, 'override')
    const parsed = parseOverride(text)
    switch (parsed.kind) {
      case 'override':
        expect(parseOverride(renderOverride(parsed.override, text))).to.deep.equal(parsed)
        break
      case 'hand_edit': {
        if (parsed.edit.kind === 'reset') break
        const taken = { ...NEUTRAL, revision: 8, manual: parsed.edit.manual }
        const rendered = parseOverride(renderOverride(taken, text))
        expect(rendered).to.deep.equal({ kind: 'override', override: taken })
        break
      }
      case 'unparsable':
        expect(parsed.detail).to.match(/^line \d+: /)
        // Not a document: it is replaced as a whole.
        expect(parseOverride(renderOverride(NEUTRAL, text)).kind).to.equal('override')
    }
    const rollout = parseRollout(text)
    if (rollout.kind === 'rollout')
      expect(parseRollout(renderRollout(rollout.rollout, text))).to.deep.equal(rollout)
  },
})
