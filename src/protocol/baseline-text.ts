import { BASELINE_METRICS, BASELINE_TARGETS, type BaselineCell, type BaselineMetric } from './baseline.js'

type Language = 'zh-CN' | 'en'
type Sentence = Readonly<Record<Language, string>>

export type BaselineCells = Readonly<Record<BaselineMetric, BaselineCell>>

const NAMES: Readonly<Record<BaselineMetric, Sentence>> = {
  avgLatencyMs: { 'zh-CN': '平均延迟', en: 'Mean latency' },
  p95LatencyMs: { 'zh-CN': 'P95 延迟', en: 'P95 latency' },
  errorRate: { 'zh-CN': '错误率', en: 'Error rate' },
  timeoutRate: { 'zh-CN': '超时率', en: 'Timeout rate' },
}

const MODES = {
  direct: { 'zh-CN': 'direct LLM', en: 'Direct LLM' },
  runtime: { 'zh-CN': 'Runtime', en: 'Runtime' },
} as const satisfies Record<string, Sentence>

export const baselineName = (metric: BaselineMetric, language: Language): string => NAMES[metric][language]

/** `1.234 s` or `4.20%`. */
export function baselineValue(metric: BaselineMetric, value: number): string {
  return isRate(metric) ? `${(value * 100).toFixed(2)}%` : `${(value / 1000).toFixed(3)} s`
}

/** `< 3 s` or `< 5%`. */
export function baselineTarget(metric: BaselineMetric): string {
  const target = BASELINE_TARGETS[metric]
  return isRate(metric) ? `< ${target * 100}%` : `< ${target / 1000} s`
}

/** How a mode does beside its targets, and what it misses. */
export function baselineSentence(
  mode: keyof typeof MODES,
  samples: number,
  cells: BaselineCells,
  language: Language,
): string {
  const zh = language === 'zh-CN'
  const name = MODES[mode][language]
  if (samples === 0) return zh ? `${name}：该时段内没有执行记录` : `${name}: no executions in this span`
  const missed = BASELINE_METRICS.filter((metric) => cells[metric].met === false)
  const of = zh ? `（${samples} 次执行）` : ` (${samples} ${samples === 1 ? 'execution' : 'executions'})`
  if (missed.length === 0) return zh ? `${name}：各项指标均达标${of}` : `${name}: all targets met${of}`
  const faults = missed.map((metric) => {
    const value = baselineValue(metric, cells[metric].value ?? 0)
    const target = baselineTarget(metric)
    return zh
      ? `${NAMES[metric]['zh-CN']} ${value}（目标 ${target}）`
      : `${withinSentence(NAMES[metric].en)} ${value} (target ${target})`
  })
  return zh
    ? `${name}：${missed.length} 项未达标：${faults.join('、')}${of}`
    : `${name}: ${missed.length} of ${BASELINE_METRICS.length} targets missed: ${faults.join(', ')}${of}`
}

const isRate = (metric: BaselineMetric): boolean => metric === 'errorRate' || metric === 'timeoutRate'

/** In lower case, but for `P95`. */
const withinSentence = (name: string): string =>
  name.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())
