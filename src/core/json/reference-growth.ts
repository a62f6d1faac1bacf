import type { Bilingual } from '../bilingual.js'

/** how many times longer a flag document may become once its references are replaced: a long list of orgs is named by few flags */
const MAX_GROWTH = 8
/** characters beyond that, for short documents */
const FREE_GROWTH = 65_536
/** characters that are searched for references in all; a second's work */
const MAX_SEARCHED = 2_000_000_000

/** As flagd-core looks for them: in JSON without blanks, names as they are escaped there. */
const REFERENCE = /\{"\$ref":"((?:[^"\\]|\\.)*)"\}/g
/** What `replaceAll`, by which flagd-core puts evaluators in, takes for something else than itself. */
const REPLACEMENT_SIGN = /\$[&`']/

/**
 * Why flagd-core must not get this document: it replaces each `$ref` in the text, key by key, and evaluators that name each other
 * twice make the text twice as long at each step. Counts what would come of it, in one walk. Undefined: nothing.
 */
export function expansionFault(document: unknown): Bilingual | undefined {
  if (!isObject(document) || !isObject(document.$evaluators)) return undefined
  const evaluators = Object.entries(document.$evaluators).map(([key, rule]) => ({
    key,
    text: JSON.stringify(rule) ?? 'null',
  }))
  const whole = JSON.stringify(document)
  const flags = isObject(document.flags) ? Object.keys(document.flags).length : 0
  const longest = MAX_GROWTH * whole.length + FREE_GROWTH
  let length = whole.length
  const counts = new Map<string, number>()
  addReferences(counts, whole, 1)
  for (const { key, text } of evaluators) {
    const count = counts.get(key) ?? 0
    if (count === 0) continue
    if (REPLACEMENT_SIGN.test(text))
      return {
        en: `evaluator "${key}" has one of the signs $&, $\` and $' in it, by which flagd's in-process provider puts another text in`,
        'zh-CN': `evaluator "${key}" 含有 $&、$\` 或 $'，flagd 的 in-process 提供方会据此替换成其他文本`,
      }
    counts.set(key, 0)
    addReferences(counts, text, count)
    length += count * (text.length - `{"$ref":"${key}"}`.length)
    if (length > longest)
      return {
        en: `its references grow without end: with evaluator "${key}" the document has more than ${longest} characters`,
        'zh-CN': `引用展开后无限增长：代入 evaluator "${key}" 后文档超过 ${longest} 个字符`,
      }
  }
  const shared = evaluators.reduce((sum, { text }) => sum + text.length, 0)
  const searched = evaluators.length * (length + flags * shared)
  return searched > MAX_SEARCHED
    ? { en: 'it has too many evaluators for so many flags', 'zh-CN': 'evaluator 与 flag 数量过多' }
    : undefined
}

function addReferences(counts: Map<string, number>, text: string, times: number): void {
  for (const [, name = ''] of text.matchAll(REFERENCE)) counts.set(name, (counts.get(name) ?? 0) + times)
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
