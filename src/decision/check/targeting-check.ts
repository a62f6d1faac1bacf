import type { JSONPath, Node } from 'jsonc-parser'
import { propertiesOf } from '../../core/json/json-tree.js'
import type { IssueList } from './flag-document.js'

/** Operators of flagd's targeting schema (JSON Logic and flagd's own four). */
const OPERATORS: ReadonlySet<string> = new Set(
  `var missing missing_some if == === != !== > >= < <= ! !! or and + - * / % max min map filter reduce all none some
   merge in cat substr fractional sem_ver starts_with ends_with $ref`.split(/\s+/),
)

/** flagd refuses shares that add up to more (a 32 bit integer) */
const MAX_TOTAL_WEIGHT = 2_147_483_647

/** What a targeting rule may refer to. */
export interface TargetingNames {
  /** `undefined`: a shared evaluator, whose results are not variants of one flag */
  readonly variants: ReadonlySet<string> | undefined
  readonly evaluators: ReadonlySet<string>
}

/** Reports unknown operators, references to nothing, wrong shares, and results that are no variant of the flag. */
export function checkTargeting(rule: Node, path: JSONPath, names: TargetingNames, issues: IssueList): void {
  if (rule.type !== 'object') {
    issues.add(rule.offset, path, {
      en: '"targeting" must be an object',
      'zh-CN': '"targeting" 必须是对象',
    })
    return
  }
  checkLogic(rule, path, names, issues)
  if (names.variants !== undefined) checkResult(rule, path, names.variants, issues)
}

function checkLogic(node: Node, path: JSONPath, names: TargetingNames, issues: IssueList): void {
  if (node.type === 'array') {
    node.children?.forEach((child, index) => {
      checkLogic(child, [...path, index], names, issues)
    })
    return
  }
  const properties = propertiesOf(node)
  const [operator] = properties
  if (operator === undefined) return
  if (properties.length > 1)
    issues.add(node.offset, path, {
      en: `a rule has one operator, this one has ${properties.length}`,
      'zh-CN': `一条规则只能有一个运算符，此处有 ${properties.length} 个`,
    })
  const at = [...path, operator.key]
  if (!OPERATORS.has(operator.key))
    issues.add(operator.keyNode.offset, at, {
      en: `unknown operator "${operator.key}"`,
      'zh-CN': `未知运算符 "${operator.key}"`,
    })
  else if (operator.key === '$ref') checkReference(operator.value, at, names.evaluators, issues)
  else if (operator.key === 'fractional') checkFractional(operator.value, at, issues)
  checkLogic(operator.value, at, names, issues)
}

function checkReference(
  node: Node,
  path: JSONPath,
  evaluators: ReadonlySet<string>,
  issues: IssueList,
): void {
  if (node.type === 'string' && evaluators.has(String(node.value))) return
  const name = JSON.stringify(node.value ?? null)
  issues.add(node.offset, path, {
    en: `"$ref" names no evaluator of this file: ${name}`,
    'zh-CN': `"$ref" 引用的 evaluator 不在此文件中：${name}`,
  })
}

function checkFractional(node: Node, path: JSONPath, issues: IssueList): void {
  const shares = sharesOf(node)
  if (shares.length === 0) {
    issues.add(node.offset, path, {
      en: '"fractional" needs a list of shares, as [["on", 10], ["off", 90]]',
      'zh-CN': '"fractional" 需要比例列表，如 [["on", 10], ["off", 90]]',
    })
    return
  }
  let total = 0
  for (const { share, index } of shares) {
    const at = [...path, index]
    const weight = share.children?.[1]
    if (
      share.type !== 'array' ||
      share.children === undefined ||
      share.children.length < 1 ||
      share.children.length > 2
    )
      issues.add(share.offset, at, {
        en: 'a share of "fractional" is [variant, weight]',
        'zh-CN': '"fractional" 的每一项应为 [variant, 权重]',
      })
    else if (weight !== undefined && weight.type !== 'object' && !isWeight(weight))
      issues.add(weight.offset, at, {
        en: 'a weight of "fractional" is a whole number from 0 on',
        'zh-CN': '"fractional" 的权重必须是不小于 0 的整数',
      })
    total += weight === undefined ? 1 : weight.type === 'number' ? Number(weight.value) : 0
  }
  if (total > MAX_TOTAL_WEIGHT)
    issues.add(node.offset, path, {
      en: `the weights of "fractional" add up to more than ${MAX_TOTAL_WEIGHT}`,
      'zh-CN': `"fractional" 的权重之和超过 ${MAX_TOTAL_WEIGHT}`,
    })
}

function isWeight(node: Node): boolean {
  return node.type === 'number' && Number.isInteger(node.value) && Number(node.value) >= 0
}

/** The shares, without the value to bucket by that may stand first. */
function sharesOf(node: Node): { share: Node; index: number }[] {
  if (node.type !== 'array') return []
  return (node.children ?? [])
    .map((share, index) => ({ share, index }))
    .filter(({ share, index }) => index > 0 || share.type === 'array')
}

/** Follows the places a variant's name can come from; what another operator yields cannot be known here. */
function checkResult(node: Node, path: JSONPath, variants: ReadonlySet<string>, issues: IssueList): void {
  if (node.type === 'string' || node.type === 'boolean' || node.type === 'number') {
    if (!variants.has(String(node.value)))
      issues.add(
        node.offset,
        path,
        {
          en: `the targeting yields "${node.value}", which is no variant`,
          'zh-CN': `定向规则给出 "${node.value}"，但没有这个 variant`,
        },
        'flag',
      )
    return
  }
  const [operator] = propertiesOf(node)
  if (operator === undefined) return
  const { key, value } = operator
  if (key === 'if' && value.type === 'array')
    value.children?.forEach((branch, index, all) => {
      const isResult = index % 2 === 1 || (index === all.length - 1 && index > 0)
      if (isResult) checkResult(branch, [...path, key, index], variants, issues)
    })
  if (key === 'fractional')
    for (const { share, index } of sharesOf(value)) {
      const result = share.children?.[0]
      if (result !== undefined) checkResult(result, [...path, key, index, 0], variants, issues)
    }
}
