import { expect } from 'chai'
import { z } from 'zod'
import { rule } from '../../../src/core/bilingual.js'
import { schemaFault } from '../../../src/core/json/schema-fault.js'

describe('what a schema refuses, in words', () => {
  const faultOf = (schema: z.ZodType, value: unknown, reportInput = true) => {
    const [issue] = schema.safeParse(value, { reportInput }).error?.issues ?? []
    if (issue === undefined) throw new Error('it was taken')
    return schemaFault(issue)
  }

  const cases: readonly [schema: z.ZodType, value: unknown, en: string, zh: string][] = [
    [z.number(), undefined, 'is missing', '缺失'],
    [z.enum(['a', 'b']), undefined, 'is missing', '缺失'],
    [z.string(), 5, 'must be a string, not a number', '必须是字符串，而不是数字'],
    [z.string(), null, 'must be a string, not null', '必须是字符串，而不是 null'],
    [z.number(), 'secret', 'must be a number, not a string', '必须是数字，而不是字符串'],
    [z.number(), Number.NaN, 'must be a number', '必须是数字'],
    [z.int(), 1.5, 'must be a whole number, not 1.5', '必须是整数，现为 1.5'],
    [z.boolean(), [], 'must be true or false, not an array', '必须是 true 或 false，而不是数组'],
    [z.object({}), [], 'must be an object, not an array', '必须是对象，而不是数组'],
    [z.record(z.string(), z.number()), true, 'must be an object, not a boolean', '必须是对象，而不是布尔值'],
    [z.array(z.string()), {}, 'must be an array, not an object', '必须是数组，而不是对象'],
    [z.enum(['a', 'b']), 'secret', 'must be one of "a", "b"', '必须是以下值之一："a", "b"'],
    [
      z.enum(['a', 'b']),
      1,
      'must be one of "a", "b", not a number',
      '必须是以下值之一："a", "b"，而不是数字',
    ],
    [z.literal('a'), 'secret', 'must be "a"', '必须是 "a"'],
    [z.number().max(1), 7, 'must be at most 1, not 7', '不能大于 1，现为 7'],
    [z.number().lt(1), 1, 'must be less than 1, not 1', '必须小于 1，现为 1'],
    [z.number().min(1), -2, 'must be at least 1, not -2', '不能小于 1，现为 -2'],
    [z.number().gt(0), 0, 'must be greater than 0, not 0', '必须大于 0，现为 0'],
    [z.string().max(3), 'secret', 'must have at most 3 characters, not 6', '最多 3 个字符，现有 6 个'],
    [z.string().min(1), '', 'must not be empty', '不能为空'],
    [z.string().min(9), 'secret', 'must have at least 9 characters, not 6', '至少 9 个字符，现有 6 个'],
    [z.array(z.number()).max(1), [1, 2], 'must have at most 1 entry, not 2', '最多 1 项，现有 2 项'],
    [z.array(z.number()).min(3), [1], 'must have at least 3 entries, not 1', '至少 3 项，现有 1 项'],
    [z.strictObject({}), { a: 1 }, 'has a field that is not known: "a"', '含有未知字段："a"'],
    [z.strictObject({}), { a: 1, b: 1 }, 'has fields that are not known: "a", "b"', '含有未知字段："a", "b"'],
    [z.number().refine(() => false, rule('must rise', '必须递增')), 1, 'must rise', '必须递增'],
    [z.number().min(1 / 60), 0, 'must be at least 0.0166667, not 0', '不能小于 0.0166667，现为 0'],
    [
      z.number().max(86_400_000),
      86_400_001,
      'must be at most 86400000, not 86400001',
      '不能大于 86400000，现为 86400001',
    ],
    [
      z.union([z.string(), z.array(z.string())]),
      5,
      'must be a string or an array, not a number',
      '必须是字符串或数组，而不是数字',
    ],
    [
      z.union([z.iso.date(), z.iso.datetime()]),
      5,
      'must be a string, not a number',
      '必须是字符串，而不是数字',
    ],
    [
      z.number().max(2_147_483_647),
      2_147_483_648,
      'must be at most 2147483647, not 2147483648',
      '不能大于 2147483647，现为 2147483648',
    ],
    [z.union([z.string(), z.array(z.string())]), [5], 'is not valid', '无效'],
    [z.string().regex(/^a$/), 'secret', 'is not valid', '无效'],
  ]
  for (const [schema, value, en, zh] of cases)
    it(en, () => {
      const said = faultOf(schema, value)
      expect(said).to.deep.equal({ en, 'zh-CN': zh })
      expect(JSON.stringify(said)).not.to.contain('secret')
    })

  it('tells what is allowed alone where the schema was not asked to report what came', () => {
    expect(faultOf(z.number().max(1), 7, false).en).to.equal('must be at most 1')
    expect(faultOf(z.string().max(3), 'long', false).en).to.equal('must have at most 3 characters')
  })
})
