import fc from 'fast-check'
import type { z } from 'zod'

/** One thing that is fuzzed. An input is JSON, so that it can be kept in the corpus. */
export interface FuzzTarget {
  readonly name: string
  property(): fc.IAsyncProperty<[unknown]>
  /** Checks an input of the corpus. @throws what is wrong */
  replay(input: unknown): Promise<void>
  /** Frees what it holds; it may be used again afterwards. */
  close(): Promise<void>
}

export function fuzzTarget<Input>(target: {
  readonly name: string
  readonly inputs: fc.Arbitrary<Input>
  readonly schema: z.ZodType<Input>
  check(input: Input): Promise<void>
  close?(): Promise<void>
}): FuzzTarget {
  const { name, inputs, schema } = target
  const check = (input: unknown): Promise<void> => target.check(schema.parse(input))
  return {
    name,
    // As the corpus keeps it: what JSON cannot carry is no part of a finding.
    property: () =>
      fc.asyncProperty(
        inputs.map((input): unknown => JSON.parse(JSON.stringify(input))),
        check,
      ),
    replay: check,
    close: async () => target.close?.(),
  }
}

const ODD_TEXTS = [
  '',
  ' ',
  '\n',
  '\r\ndata: [DONE]\r\n\r\n',
  '\0',
  '\u2028',
  '\u2029event: done',
  '\ufeff',
  '\ud83e',
  '__proto__',
  'constructor',
  'toString',
  '../../etc/passwd',
  'javascript:alert(1)',
  '<script>alert(1)</script>',
  'NaN',
  '\u202e',
  'x'.repeat(300),
] as const

/** JSON values, the odd ones among them often. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1e308, -0.5, 2 ** 53, [], {}, [[]], [null]),
  fc.constantFrom<unknown>(...ODD_TEXTS),
  fc.jsonValue({ maxDepth: 2 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
)

export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...ODD_TEXTS),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ maxLength: 40 }),
)

interface Mutation {
  /** which value, counted through the tree */
  readonly at: number
  readonly how: 'replace' | 'drop' | 'wrap' | 'add'
  readonly value: unknown
  readonly key: string
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(200),
  how: fc.constantFrom('replace', 'replace', 'drop', 'wrap', 'add'),
  value: oddValue,
  key: oddText,
})

/** A value with some of its parts replaced, dropped, wrapped in a list, or joined by others. */
export const mutated = (values: fc.Arbitrary<unknown>, most = 3): fc.Arbitrary<unknown> =>
  fc
    .tuple(values, fc.array(mutation, { maxLength: most }))
    .map(([value, mutations]) => mutations.reduce<unknown>(mutate, value))

function mutate(root: unknown, { at, how, value, key }: Mutation): unknown {
  const count = countOf(root)
  let left = at % count
  const walk = (node: unknown): unknown => {
    const isHere = left === 0
    left -= 1
    if (isHere) return changed(node)
    if (Array.isArray(node)) return node.flatMap((one: unknown) => kept(walk(one)))
    if (typeof node !== 'object' || node === null) return node
    return Object.fromEntries(
      Object.entries(node).flatMap(([name, one]) => kept(walk(one)).map((now) => [name, now])),
    )
  }
  const changed = (node: unknown): unknown => {
    if (how === 'drop') return undefined
    if (how === 'wrap') return [node]
    if (how === 'replace' || typeof node !== 'object' || node === null) return value
    if (Array.isArray(node)) return [...node, value]
    return Object.fromEntries([...Object.entries(node), [key, value]])
  }
  return walk(root)
}

const kept = (value: unknown): unknown[] => (value === undefined ? [] : [value])

function countOf(node: unknown): number {
  if (typeof node !== 'object' || node === null) return 1
  return Object.values(node).reduce<number>((sum, one) => sum + countOf(one), 1)
}

/** A text with pieces cut out, doubled and put in. */
export const mangled = (texts: fc.Arbitrary<string>, most = 2): fc.Arbitrary<string> =>
  fc
    .tuple(
      texts,
      fc.array(fc.tuple(fc.nat(), fc.nat(40), fc.constantFrom('cut', 'double', 'put'), oddText), {
        maxLength: most,
      }),
    )
    .map(([text, edits]) =>
      edits.reduce((now, [place, length, how, put]) => {
        const from = place % (now.length + 1)
        const to = how === 'put' ? from : from + length
        const between = how === 'cut' ? '' : how === 'put' ? put : now.slice(from, to).repeat(2)
        return now.slice(0, from) + between + now.slice(to)
      }, text),
    )
