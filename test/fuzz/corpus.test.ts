import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { z } from 'zod'
import { TARGETS } from './targets.js'

/** Inputs that once found a fault, or that stand for a kind of input. */
const corpusSchema = z.array(z.strictObject({ about: z.string().min(1), input: z.unknown() })).min(1)

describe('the corpus of the fuzzer', () => {
  for (const target of TARGETS)
    describe(target.name, () => {
      const file = `test/fuzz/corpus/${target.name}.json`
      after(() => target.close())

      it('has inputs', () => expect(existsSync(file)).to.equal(true))

      for (const { about, input } of existsSync(file)
        ? corpusSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
        : [])
        it(about, () => target.replay(input))
    })
})
