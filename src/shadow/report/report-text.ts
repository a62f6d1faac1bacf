import { counted } from '../../core/text.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import type { Bilingual, ShadowDimension, ShadowVerdict } from '../../protocol/shadow-report.js'
import { doubtText, droppedText, leftText } from './report-caveats.js'
import type { MeasuredDimension } from './report-dimensions.js'
import { DECISIVE, LEAST_PAIRS } from './report-rules.js'
import type { RatioCheck } from './sample-ratio.js'

const NAMES: Readonly<Record<ShadowDimension, Bilingual>> = {
  success_rate: { 'zh-CN': '成功率', en: 'success rate' },
  error_rate: { 'zh-CN': '错误率', en: 'error rate' },
  timeout_rate: { 'zh-CN': '超时率', en: 'timeout rate' },
  latency: { 'zh-CN': '延迟', en: 'latency' },
  first_content: { 'zh-CN': '首个内容延迟', en: 'time to first content' },
  length: { 'zh-CN': '回答长度', en: 'length' },
  tokens: { 'zh-CN': 'Token 数', en: 'tokens' },
  text_similarity: { 'zh-CN': '文本相似度', en: 'text similarity' },
  plan_similarity: { 'zh-CN': '计划相似度', en: 'plan similarity' },
  call_set_similarity: { 'zh-CN': '调用集合相似度', en: 'similarity of calls' },
  call_order_similarity: { 'zh-CN': '调用顺序相似度', en: 'similarity of the order of calls' },
}

const MODES: Readonly<Record<ExecutionMode, Bilingual>> = {
  direct_llm: { 'zh-CN': '直连 LLM', en: 'the direct LLM' },
  runtime_orchestrator: { 'zh-CN': 'Runtime', en: 'the runtime' },
}

/** What is known of a dimension, in one sentence. */
export function dimensionSentence(measured: MeasuredDimension, verdict: ShadowVerdict): Bilingual {
  const { control, candidate, dimension } = measured
  const name = NAMES[dimension]
  if (control === null || candidate === null) {
    return {
      'zh-CN': `${name['zh-CN']}：没有可比较的数据（${pairsText(measured)}）。`,
      en: `${capital(name.en)}: nothing to compare (${pairsText(measured)}).`,
    }
  }
  const values = `${amount(control, measured)} → ${amount(candidate, measured)}`
  const high = p95Text(measured)
  const rest = verdictText(measured, verdict)
  return {
    'zh-CN': `${name['zh-CN']}：${values}${high['zh-CN']}，${rest['zh-CN']}。`,
    en: `${capital(name.en)}: ${values}${high.en}, ${rest.en}.`,
  }
}

function p95Text(measured: MeasuredDimension): Bilingual {
  const { p95 } = measured
  if (p95 === null) return NOTHING
  const [zh, en] = ['未知', 'unknown'].map((unknown) => {
    const text = (value: number | null): string => (value === null ? unknown : amount(value, measured))
    return `P95 ${text(p95.control)} → ${text(p95.candidate)}`
  })
  return { 'zh-CN': `（${zh}）`, en: ` (${en})` }
}

const NOTHING: Bilingual = { 'zh-CN': '', en: '' }

function verdictText(measured: MeasuredDimension, verdict: ShadowVerdict): Bilingual {
  const { pairs, net, unit } = measured
  if (Math.min(pairs.ab, pairs.aa) < LEAST_PAIRS || net === null) {
    const have = pairsText(measured)
    return {
      'zh-CN': `数据不足：${have}，两者各需至少 ${LEAST_PAIRS}`,
      en: `not enough data: ${have}, at least ${LEAST_PAIRS} of each are needed`,
    }
  }
  const range = rangeText(change(net.low, measured), change(net.high, measured))
  const margin = change(measured.margin ?? 0, measured).replace('+', '±')
  switch (verdict) {
    case 'better':
    case 'worse':
      return {
        'zh-CN': `${verdict === 'better' ? '更好' : worseWord(unit, measured)['zh-CN']}：扣除噪声基线后 ${range['zh-CN']}`,
        en: `${verdict === 'better' ? 'better' : worseWord(unit, measured).en}: ${range.en} beyond the noise floor`,
      }
    case 'same':
      return {
        'zh-CN': `相同：扣除噪声基线后 ${range['zh-CN']}，在 ${margin} 以内`,
        en: `the same: ${range.en} beyond the noise floor, within ${margin}`,
      }
    case 'insufficient_data':
      return {
        'zh-CN': `数据不足：扣除噪声基线后可能为 ${range['zh-CN']}，${margin} 以内才算相同`,
        en: `not enough data: it may be ${range.en} beyond the noise floor, the same means within ${margin}`,
      }
  }
}

function rangeText(low: string, high: string): Bilingual {
  if (low === high) return { 'zh-CN': low, en: low }
  return { 'zh-CN': `${low} 至 ${high}`, en: `${low} to ${high}` }
}

/** A likeness that fell is a difference, not yet a fault. */
function worseWord(unit: MeasuredDimension['unit'], { direction }: MeasuredDimension): Bilingual {
  const differs = unit === 'similarity' || direction === 'as_control'
  return differs
    ? { 'zh-CN': '与对照不同', en: 'differs from the control' }
    : { 'zh-CN': '更差', en: 'worse' }
}

interface DimensionVerdict {
  readonly dimension: ShadowDimension
  readonly verdict: ShadowVerdict
}

/** The whole report in one or two sentences. */
export function overallSentence(report: {
  readonly control: ExecutionMode
  readonly candidate: ExecutionMode
  readonly verdict: ShadowVerdict
  readonly dimensions: readonly DimensionVerdict[]
  readonly pairs: { readonly ab: number; readonly aa: number }
  /** their user left before the control ended */
  readonly left: { readonly ab: number; readonly aa: number }
  readonly fenceViolations: number
  /** selected turns without a comparison, by reason */
  readonly dropped: Readonly<Record<string, number>>
  readonly checks: readonly RatioCheck[]
}): Bilingual {
  const dropped = droppedText(report)
  const left = leftText(report)
  const doubt = doubtText(report.checks)
  const from = MODES[report.control]
  const to = MODES[report.candidate]
  const fence = report.fenceViolations
  const parts = verdictParts(report.dimensions)
  const isPartial = report.verdict === 'better' && report.dimensions.some(isUndecided)
  const overall = isPartial ? BETTER_SO_FAR : OVERALL[report.verdict]
  return {
    'zh-CN':
      `${doubt['zh-CN']}若将用户从“${from['zh-CN']}”切换到“${to['zh-CN']}”：${overall['zh-CN']}` +
      `（${joined(
        parts.map((part) => part['zh-CN']),
        '；',
      )}${report.pairs.ab} 对比较，${report.pairs.aa} 对噪声基线）。` +
      (fence > 0 ? `影子执行中疑似出现 ${fence} 次写操作：请核实 Runtime 是否遵守隔离标记。` : '') +
      left['zh-CN'] +
      dropped['zh-CN'],
    en:
      `${doubt.en}Switching users from ${from.en} to ${to.en}: ${overall.en} ` +
      `(${joined(
        parts.map((part) => part.en),
        '; ',
      )}${counted(report.pairs.ab, 'pair')}, ${report.pairs.aa} of the control with itself).` +
      (fence > 0
        ? ` Shadows seem to have changed something ${counted(fence, 'time')}: check that the runtime keeps to the fence.`
        : '') +
      left.en +
      dropped.en,
  }
}

const OVERALL: Readonly<Record<ShadowVerdict, Bilingual>> = {
  better: { 'zh-CN': '总体更好', en: 'better for users' },
  same: { 'zh-CN': '对用户而言相同（差别在容差以内）', en: 'the same for users, within the margins' },
  worse: { 'zh-CN': '总体更差', en: 'worse for users' },
  insufficient_data: { 'zh-CN': '数据不足，尚无结论', en: 'not enough data to tell' },
}

/** Something that users feel may still be worse. */
const BETTER_SO_FAR: Bilingual = { 'zh-CN': '就目前已知而言更好', en: 'better for users as far as is known' }

const isUndecided = ({ dimension, verdict }: DimensionVerdict): boolean =>
  verdict === 'insufficient_data' && DECISIVE.includes(dimension)

const PARTS: readonly (readonly [verdict: ShadowVerdict, words: Bilingual])[] = [
  ['worse', { 'zh-CN': '更差或不同', en: 'worse or different' }],
  ['better', { 'zh-CN': '更好', en: 'better' }],
  ['same', { 'zh-CN': '相同', en: 'the same' }],
  ['insufficient_data', { 'zh-CN': '尚不清楚', en: 'not known yet' }],
]

/**
 * `worse or different: latency, tokens`; the success rate says no more than the error rate, and what is not known yet is
 * named where users would feel it.
 */
function verdictParts(dimensions: readonly DimensionVerdict[]): Bilingual[] {
  return PARTS.flatMap(([verdict, words]) => {
    const names = dimensions
      .filter((one) => one.verdict === verdict && one.dimension !== 'success_rate')
      .filter((one) => verdict !== 'insufficient_data' || isUndecided(one))
      .map(({ dimension }) => NAMES[dimension])
    if (names.length === 0) return []
    return [
      {
        'zh-CN': `${words['zh-CN']}：${names.map((name) => name['zh-CN']).join('、')}`,
        en: `${words.en}: ${names.map((name) => name.en).join(', ')}`,
      },
    ]
  })
}

const joined = (parts: readonly string[], mark: string): string => parts.map((part) => part + mark).join('')

/** A mean in its unit. */
function amount(value: number, { unit }: MeasuredDimension): string {
  switch (unit) {
    case 'share':
      return `${(value * 100).toFixed(2)}%`
    case 'similarity':
      return value.toFixed(3)
    case 'ms':
      return `${Math.round(value)}ms`
    case 'characters':
    case 'tokens':
      return value.toFixed(1)
  }
}

/** A difference in the unit of `net`, with its sign. */
function change(value: number, { unit }: MeasuredDimension): string {
  // What rounds to nothing is never `-0.0%`.
  const signed = (text: string): string =>
    value < 0 && /[1-9]/.test(text) ? text : `+${text.replace('-', '')}`
  switch (unit) {
    case 'share':
      return signed(`${(value * 100).toFixed(2)}pp`)
    case 'ms':
      return signed(`${(value * 100).toFixed(1)}%`)
    case 'similarity':
      return signed(value.toFixed(3))
    case 'characters':
    case 'tokens':
      return signed(value.toFixed(1))
  }
}

const pairsText = ({ pairs }: { readonly pairs: { readonly ab: number; readonly aa: number } }): string =>
  `A/B ${pairs.ab}, A/A ${pairs.aa}`

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
