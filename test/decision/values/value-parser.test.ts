import { expect } from 'chai'
import { z } from 'zod'
import { createValueParser } from '../../../src/decision/values/value-parser.js'

describe('the parser of an object flag', () => {
  const schema = z.strictObject({ size: z.number().max(9).default(1) })

  function counting() {
    let runs = 0
    const parse = createValueParser(schema, (value) => {
      runs += 1
      return value
    })
    return { parse, runs: () => runs }
  }

  it('parses an object once, and an equal one not at all', () => {
    const { parse, runs } = counting()
    const raw = { size: 2 }
    const first = parse(raw)
    expect(parse(raw)).to.equal(first)
    expect(parse({ size: 2 })).to.equal(first)
    expect(runs()).to.equal(1)
    expect(first).to.deep.equal({ kind: 'value', value: { size: 2 } })
  })

  it('fills what is absent', () => {
    expect(counting().parse({})).to.deep.equal({ kind: 'value', value: { size: 1 } })
  })

  it('refuses a wrong one as a whole and says why without the value', () => {
    const refused = counting().parse({ size: 10, secret: 'text' })
    expect(refused.kind).to.equal('refused')
    expect(JSON.stringify(refused))
      .to.match(/size: must be at most 9, not 10/)
      .and.not.to.match(/text/)
    expect(counting().parse('text').kind).to.equal('refused')
    expect(counting().parse(null).kind).to.equal('refused')
  })

  it('names fields that its schema drops, also within', () => {
    const tolerant = z.object({
      size: z.number().default(1),
      llm: z.object({ ms: z.number().default(2) }).prefault({}),
    })
    const parse = createValueParser(tolerant, (value) => value)
    expect(parse({ sise: 3, llm: { sm: 1 } })).to.deep.equal({
      kind: 'value',
      value: { size: 1, llm: { ms: 2 } },
      unknown: ['sise', 'llm.sm'],
    })
    expect(parse({ size: 3, llm: {} })).not.to.have.property('unknown')
  })
})
