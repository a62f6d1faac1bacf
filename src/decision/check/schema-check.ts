import { MemoryStorage } from '@openfeature/flagd-core'
import { getNodeValue, type JSONPath, type Node } from 'jsonc-parser'
import { z } from 'zod'
import { errorText } from '../../core/errors.js'
import { nodeNear } from '../../core/json/json-tree.js'
import { expansionFault } from '../../core/json/reference-growth.js'
import { silentSdkLogger } from '../sdk-logger.js'
import type { IssueList } from './flag-document.js'

/** As ajv describes what does not match; flagd-core puts them as JSON into its message. */
const schemaErrorsSchema = z.array(z.object({ instancePath: z.string(), message: z.string() }))

/**
 * Holds the document against flagd's published schema and flagd-core's own rules, flag by flag, for both stop at the
 * first one that is wrong. The schema's text is terse and says many things about one fault, so only what nothing else
 * has reported is added.
 */
export function checkSchema(root: Node, issues: IssueList): void {
  const document: Record<string, unknown> = getNodeValue(root)
  const { flags, ...frame } = document
  const growth = expansionFault(document)
  if (growth !== undefined) {
    issues.add(nodeNear(root, ['$evaluators']).offset, ['$evaluators'], growth)
    return
  }
  checkPart({ ...frame, flags: {} }, [], root, issues)
  for (const [key, flag] of Object.entries(flags ?? {}))
    checkPart({ $evaluators: frame.$evaluators ?? {}, flags: { [key]: flag } }, ['flags', key], root, issues)
}

function checkPart(part: object, at: JSONPath, root: Node, issues: IssueList): void {
  try {
    new MemoryStorage(silentSdkLogger).setConfigurations(JSON.stringify(part), true)
  } catch (thrown) {
    const errors = schemaErrors(errorText(thrown))
    if (errors.length === 0) {
      if (!issues.refusesWithin(at))
        issues.add(nodeNear(root, at).offset, at, {
          en: `flagd refuses it: ${causeText(thrown)}`,
          'zh-CN': `flagd 拒绝：${causeText(thrown)}`,
        })
      return
    }
    for (const { path, message } of deepest(errors))
      if (!issues.refusesWithin(region(path)))
        issues.add(nodeNear(root, path).offset, path, {
          en: `against flagd's schema: ${message}`,
          'zh-CN': `不符合 flagd 的 schema：${schemaWordsZh(message)}`,
        })
  }
}

/** What ajv says most; the rest stays as ajv has it. */
const SCHEMA_WORDS_ZH: readonly (readonly [RegExp, string])[] = [
  [/^must have required property '(.*)'$/, "缺少属性 '$1'"],
  [/^must NOT have additional properties$/, '含有多余的属性'],
  [/^must be ((?:(?:object|array|string|number|integer|boolean|null),?)+)$/, '类型必须是 $1'],
  [/^must match pattern (.*)$/s, '格式必须匹配 $1'],
  [/^must be equal to one of the allowed values$/, '不是允许的取值之一'],
  [/^must be equal to constant$/, '不是规定的取值'],
  [/^must NOT have fewer than (\d+) (?:items|properties)$/, '至少 $1 项'],
  [/^must NOT have more than (\d+) (?:items|properties)$/, '最多 $1 项'],
  [/^must match (?:exactly one|a) schema in (?:oneOf|anyOf)$/, '不符合任何一种允许的形式'],
]

function schemaWordsZh(message: string): string {
  const [form, text] = SCHEMA_WORDS_ZH.find(([one]) => one.test(message)) ?? []
  return form === undefined || text === undefined ? message : message.replace(form, text)
}

interface SchemaError {
  readonly path: JSONPath
  readonly message: string
}

function schemaErrors(message: string): SchemaError[] {
  const json = message.slice(message.indexOf(': ') + 2)
  try {
    return schemaErrorsSchema
      .parse(JSON.parse(json))
      .map(({ instancePath, message: text }) => ({ path: pointerPath(instancePath), message: text }))
  } catch {
    return []
  }
}

function pointerPath(pointer: string): JSONPath {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

/** `anyOf` complains at each level above the fault: the first of the deepest ones in each flag is nearest to it. */
function deepest(errors: readonly SchemaError[]): SchemaError[] {
  const byRegion = new Map<string, SchemaError>()
  for (const error of errors) {
    const key = region(error.path).join('.')
    const known = byRegion.get(key)
    if (known === undefined || error.path.length > known.path.length) byRegion.set(key, error)
  }
  return [...byRegion.values()]
}

/** The flag (or evaluator) a path is in. */
function region(path: JSONPath): JSONPath {
  return path.slice(0, 2)
}

function causeText(thrown: unknown): string {
  return thrown instanceof Error && thrown.cause !== undefined ? errorText(thrown.cause) : errorText(thrown)
}
