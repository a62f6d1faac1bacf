import type { Bilingual } from '../../protocol/shadow-report.js'
import { isMismatch, type RatioCheck } from './sample-ratio.js'
import type { ShadowDropReason } from './shadow-counts.js'

const NOTHING: Bilingual = { 'zh-CN': '', en: '' }

/** First of all, where the pairs are not the sample that was drawn. */
export function doubtText(checks: readonly RatioCheck[]): Bilingual {
  const failed = checks.filter(isMismatch)
  if (failed.length === 0) return NOTHING
  const reasons = failed.map(doubtOf)
  return {
    'zh-CN': `请勿采信本报告：${reasons.map((reason) => reason['zh-CN']).join('；')}。`,
    en: `Do not trust this report: ${reasons.map(({ en }) => en).join('; ')}. `,
  }
}

function doubtOf({ check, chiSquare, critical, shares }: RatioCheck): Bilingual {
  const [first, second] = shares.map((share) => `${(share * 100).toFixed(1)}%`)
  const numbers = `χ² ${chiSquare.toFixed(1)} > ${critical.toFixed(1)}`
  switch (check) {
    case 'aa_share':
      return {
        'zh-CN': `完成比较的回合中 A/A 占 ${first}，按设置应为 ${second}（${numbers}）`,
        en: `${first} of the pairs are A/A, and by the setting it should be ${second} (${numbers})`,
      }
    case 'lost':
      return {
        'zh-CN': `选中的 A/B 回合有 ${first} 未能比较，A/A 回合有 ${second}（${numbers}），剩下的并非随机样本`,
        en:
          `${first} of the selected A/B turns gave no comparison, and ${second} of the A/A turns (${numbers}), ` +
          'so what is left is no random sample',
      }
  }
}

/** How many turns are known in part alone; nothing if no user left. */
export function leftText({
  pairs,
  left,
}: {
  readonly pairs: { readonly ab: number; readonly aa: number }
  readonly left: { readonly ab: number; readonly aa: number }
}): Bilingual {
  const count = left.ab + left.aa
  if (count === 0) return NOTHING
  const all = count + pairs.ab + pairs.aa
  const share = `${((count / all) * 100).toFixed(1)}%`
  return {
    'zh-CN': `${share} 的回合（${all} 个中的 ${count} 个）用户在对照结束前离开：对照的耗时按“至少这么久”计入（Kaplan–Meier 估计），其余指标不计这些回合。`,
    en:
      ` In ${share} of the turns (${count} of ${all}) the user left before the control ended: its times count as at least as long ` +
      'as the user waited (Kaplan–Meier), and nothing else of these turns counts.',
  }
}

/** Said only if more turns were dropped than compared: then the pairs are a choice, and by what they were chosen. */
export function droppedText({
  pairs,
  left,
  dropped,
}: {
  readonly pairs: { readonly ab: number; readonly aa: number }
  readonly left: { readonly ab: number; readonly aa: number }
  readonly dropped: Readonly<Record<string, number>>
}): Bilingual {
  const lost = sumOf(dropped, Object.keys(dropped))
  const compared = pairs.ab + pairs.aa + left.ab + left.aa
  if (lost <= compared) return NOTHING
  const quiet = sumOf(dropped, OF_BUSY_HOURS) > lost / 2
  return {
    'zh-CN':
      `选中的回合有 ${lost} 个未能比较，多于完成比较的 ${compared} 个：` +
      (quiet ? '结果只反映空闲且正常的时段。' : '结果未必能代表全部回合。'),
    en:
      ` More of the selected turns were dropped (${lost}) than compared (${compared}): ` +
      (quiet ? 'the pairs come from quiet hours only.' : 'the pairs may not stand for all turns.'),
  }
}

/** Shadows gave way to what went on around them. */
const OF_BUSY_HOURS: readonly ShadowDropReason[] = ['busy', 'pressure', 'sick']

const sumOf = (counts: Readonly<Record<string, number>>, names: readonly string[]): number =>
  names.reduce((sum, name) => sum + (counts[name] ?? 0), 0)
