/** How one execution can end. */
export type ExecutionResult = 'ok' | 'error' | 'timeout' | 'aborted' | 'rejected'

/** How it is counted in public: an aborted one that its user left after waiting for long is told apart. */
export type CountedResult = ExecutionResult | 'abandoned'

export function countedAs(outcome: {
  readonly result: ExecutionResult
  readonly abandoned?: unknown
}): CountedResult {
  return outcome.abandoned === undefined ? outcome.result : 'abandoned'
}

/** Those that say how well the backend does: they count in rates, verdicts and times. */
export type JudgedResult = Exclude<ExecutionResult, 'aborted' | 'rejected'>

export function isJudged(result: CountedResult): result is JudgedResult {
  return result !== 'aborted' && result !== 'rejected' && result !== 'abandoned'
}

type Words = Readonly<Record<'zh-CN' | 'en', string>>

/**
 * Why an execution is in no comparison, by the reason that the shadow report counts. A newer service may have more of them: their code
 * stands for itself.
 */
export const SHADOW_DROP_NAMES: ReadonlyMap<string, Words> = new Map<string, Words>([
  ['busy', { en: 'too many shadows at a time', 'zh-CN': '影子执行过多' }],
  ['pressure', { en: 'the service was under load', 'zh-CN': '服务负载过高' }],
  ['sick', { en: 'a fallback, or the control failed too often', 'zh-CN': '正在回退或对照错误过多' }],
  ['draining', { en: 'the service stopped', 'zh-CN': '服务停止' }],
  ['aborted', { en: 'the user left before the candidate started', 'zh-CN': '候选开始前用户已离开' }],
  ['flood', { en: 'the candidate sent too much', 'zh-CN': '候选输出过多' }],
  ['fault', { en: 'an internal error, see the log', 'zh-CN': '内部错误（见日志）' }],
  ['rejected', { en: 'a side refused what the user sent', 'zh-CN': '用户内容被一方拒绝' }],
  [
    'unfenced',
    { en: 'the runtime has not said that it keeps the fence', 'zh-CN': 'Runtime 未声明遵守隔离标记' },
  ],
])

/** `2 (the service stopped: 2)`: how many there were in all, and why. */
export function shadowDropsText(dropped: Readonly<Record<string, number>>, language: keyof Words): string {
  const reasons = Object.entries(dropped).filter(([, count]) => count > 0)
  const all = reasons.reduce((sum, [, count]) => sum + count, 0)
  if (all === 0) return '0'
  const words = reasons.map(([reason, count]) => {
    const name = SHADOW_DROP_NAMES.get(reason)?.[language] ?? reason
    return language === 'en' ? `${name}: ${count}` : `${name} ${count}`
  })
  return language === 'en' ? `${all} (${words.join(', ')})` : `${all}（${words.join('，')}）`
}
