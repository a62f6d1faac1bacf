import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { checkFlagDocument } from '../../src/decision/check/ops-file-check.js'
import { editOpsFile } from '../../src/flag-edits/edit-ops-file.js'
import { flagEditSchema } from '../../src/protocol/flag-edit.js'

const SHIPPED = readFileSync('flags/chat.flagd.json', 'utf8')
const DOCUMENT: unknown = JSON.parse(SHIPPED)
/** As people and scripts leave them. */
const FILES = [
  SHIPPED,
  JSON.stringify(DOCUMENT),
  JSON.stringify(DOCUMENT, null, '\t').replaceAll('\n', '\r\n'),
  '',
  'null',
  '[]',
  '{}',
  '{"flags":[]}',
  '{"flags":{}}',
  '{"flags":{},"$evaluators":[]}',
  '{"flags":{"chat-execution-mode":null}}',
  '{"flags":{"chat-execution-mode":[]}}',
  '{"flags":{"chat-execution-mode":{"variants":[]}}}',
  '{"flags":{"chat-runtime-guardrails":{"state":"ENABLED","variants":{"standard":5},"defaultVariant":"standard"}}}',
  '{"flags":{"chat-runtime-guardrails":{"variants":{},"defaultVariant":"x"}}}',
  '{"$evaluators":{"runtime-enabled-orgs":{"in":[{"var":"orgId"},["a","a"]]}},"flags":{}}',
  '{"flags":{"chat-llm-route":{"state":"ENABLED","variants":[],"defaultVariant":"d"}}}',
  '{"flags":{"chat-runtime-shadow":"x"}}',
  '{"flags":{"chat-runtime-shadow":{"variants":"x","targeting":3}}}',
]
const GUARDRAILS = ['errorRate', 'llm', 'softFailures', 'minSamples', 'nope', '__proto__', 'a.b', '', '0']

const org = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 })
const anyEdit = fc.record(
  {
    mode: fc.constantFrom('direct_llm', 'runtime_orchestrator', null),
    canaryPercent: fc.integer({ min: 0, max: 100 }),
    shadowPercent: fc.option(fc.integer({ min: 0, max: 100 })),
    enabledOrgs: fc.oneof(
      fc.record({ set: fc.array(org, { maxLength: 4 }) }),
      fc.record({ remove: fc.array(fc.constantFrom('a', 'b'), { minLength: 1 }) }),
    ),
    guardrails: fc.dictionary(fc.constantFrom(...GUARDRAILS), fc.jsonValue(), { maxKeys: 2 }),
    fallbackPolicy: fc.constantFrom('auto', 'off'),
    llmRoute: fc.constantFrom(null, { endpoints: ['default'] }),
  },
  { requiredKeys: [] },
)

describe('an edit of an odd file', () => {
  it('is made or refused, and leaves flags that can be read', function () {
    this.timeout(60_000)
    fc.assert(
      fc.property(fc.constantFrom(...FILES), anyEdit, (text, asked) => {
        const edit = flagEditSchema.safeParse(asked)
        if (!edit.success) return
        const result = editOpsFile(text, edit.data, { mode: 'direct_llm', enabledOrgs: ['acme'] })
        if (result.kind === 'refused') {
          expect(result.refusals).not.to.deep.equal([])
          return
        }
        const broken = checkFlagDocument(result.text, 'ops').filter(
          ({ refuses, severity }) => severity === 'error' && refuses === 'file',
        )
        expect(broken).to.deep.equal([])
      }),
      { numRuns: 600 },
    )
  })
})
