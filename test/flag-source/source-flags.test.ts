import { MemoryStorage } from '@openfeature/flagd-core'
import { expect } from 'chai'
import { silentSdkLogger } from '../../src/decision/sdk-logger.js'
import { configurationOf, NO_FLAGS, takeContent } from '../../src/flag-source/source-flags.js'
import { opsDocument, overrideDocument } from '../support/flag-files.js'

const text = (of: string) => ({ kind: 'text', text: of }) as const
const taken = (...[content, kind, last]: Parameters<typeof takeContent>) => {
  const flags = takeContent(content, kind, last)
  if (flags === undefined) throw new Error('refused')
  return flags
}
const OPS = taken(text(opsDocument({ mode: 'direct_llm' })), 'ops', NO_FLAGS)
const OVERRIDE = taken(text(overrideDocument('off')), 'override', NO_FLAGS)
const parsed = (configuration: string | undefined) => JSON.parse(configuration ?? 'null')

describe('the flags that flagd gets', () => {
  it('are those of both documents', () => {
    const { flags } = parsed(configurationOf(OPS, OVERRIDE))
    expect(Object.keys(flags)).to.deep.equal(['chat-execution-mode', 'chat-runtime-fallback'])
  })

  it('are none while one of the documents was not read, and never none at all', () => {
    expect(configurationOf(OPS, NO_FLAGS)).to.equal(undefined)
    expect(configurationOf(NO_FLAGS, OVERRIDE)).to.equal(undefined)
    const missing = taken({ kind: 'missing' }, 'ops', NO_FLAGS)
    expect(configurationOf(missing, taken({ kind: 'missing' }, 'override', NO_FLAGS))).to.equal(undefined)
    expect(Object.keys(parsed(configurationOf(missing, OVERRIDE)).flags)).to.deep.equal([
      'chat-runtime-fallback',
    ])
  })

  it('stay where the new content is refused, unreadable or gone', () => {
    for (const content of [text('{torn'), text(''), { kind: 'unreadable', message: 'away' } as const])
      expect(takeContent(content, 'ops', OPS)).to.equal(undefined)
    expect(taken({ kind: 'missing' }, 'ops', OPS).flags).to.equal(OPS.flags)
  })

  it('keep the last good text of a flag that is refused, and take the others', () => {
    const next = JSON.parse(opsDocument({ mode: 'direct_llm', shadowPercent: 5 }))
    next.flags['chat-execution-mode'].targeting = { if: [true, 'nowhere', null] }
    const flags = taken(text(JSON.stringify(next)), 'ops', OPS).flags
    expect([...flags.keys()]).to.deep.equal(['chat-execution-mode', 'chat-runtime-shadow'])
    expect(flags.get('chat-execution-mode')).to.equal(OPS.flags.get('chat-execution-mode'))
  })

  it('carry the metadata of their own document alone', () => {
    const document = { ...JSON.parse(opsDocument({ mode: 'direct_llm' })), metadata: { owner: 'ops', a: 1 } }
    document.flags['chat-execution-mode'].metadata = { a: 2 }
    const { flags, metadata } = parsed(
      configurationOf(taken(text(JSON.stringify(document)), 'ops', NO_FLAGS), OVERRIDE),
    )
    expect(flags['chat-execution-mode'].metadata).to.deep.equal({ owner: 'ops', a: 2 })
    expect(flags['chat-runtime-fallback']).to.not.have.property('metadata')
    expect(metadata).to.equal(undefined)
  })

  it('mean the same where both documents have an evaluator of one name', () => {
    const withRule = (of: string, key: string, org: string) => {
      const document = { ...JSON.parse(of), $evaluators: { who: { in: [{ var: 'orgId' }, [org]] } } }
      document.flags[key].targeting = { if: [{ $ref: 'who' }, null, null] }
      return text(JSON.stringify(document))
    }
    const ops = taken(
      withRule(opsDocument({ mode: 'direct_llm' }), 'chat-execution-mode', 'acme'),
      'ops',
      NO_FLAGS,
    )
    const override = taken(
      withRule(overrideDocument('off'), 'chat-runtime-fallback', 'globex'),
      'override',
      NO_FLAGS,
    )
    const configuration = configurationOf(ops, override) ?? ''
    const { $evaluators, flags } = parsed(configuration)
    expect($evaluators.who.in[1]).to.deep.equal(['acme'])
    expect($evaluators['override:who'].in[1]).to.deep.equal(['globex'])
    expect(flags['chat-runtime-fallback'].targeting.if[0]).to.deep.equal({ $ref: 'override:who' })
    expect(flags['chat-execution-mode'].targeting.if[0]).to.deep.equal({ $ref: 'who' })
    new MemoryStorage(silentSdkLogger).setConfigurations(configuration, true)
  })
})
