import type { ShadowPair } from '../../protocol/shadow-pairs.js'
import type { ShadowDimension } from '../../protocol/shadow-report.js'
import type { Sentence } from './language.js'
import { MEASURES } from './parts.js'

export const SHADOW = {
  lead: {
    en: 'What would change if the users of the control were moved to the candidate.',
    'zh-CN': '如果把对照方的用户切换到候选方，会有什么变化。',
  },
  day: { en: 'last day', 'zh-CN': '最近一天' },
  week: { en: 'last 7 days', 'zh-CN': '最近 7 天' },
  month: { en: 'last 30 days', 'zh-CN': '最近 30 天' },
  control: { en: 'Control', 'zh-CN': '对照' },
  candidate: { en: 'Candidate', 'zh-CN': '候选' },
  show: { en: 'Show', 'zh-CN': '显示' },
  better: { en: 'better', 'zh-CN': '更好' },
  same: { en: 'same', 'zh-CN': '相同' },
  worse: { en: 'worse', 'zh-CN': '更差' },
  insufficient_data: { en: 'not enough data', 'zh-CN': '数据不足' },
  untrusted: {
    en: 'Do not trust this report: the pairs are no longer the sample that was drawn.',
    'zh-CN': '请勿采信此报告：样本已不再是抽取时的样本。',
  },
  checkPassed: { en: 'passed', 'zh-CN': '通过' },
  checkFailed: { en: 'failed', 'zh-CN': '未通过' },
  critical: { en: 'fails above', 'zh-CN': '未通过的界限' },
  aa_share: {
    en: 'The control was compared with itself as often as configured',
    'zh-CN': '对照与自身比较的比例与设置一致',
  },
  lost: {
    en: 'Shadows of both kinds were dropped alike',
    'zh-CN': '两类影子执行被丢弃的比例一致',
  },
  pairs: { en: 'Pairs of both backends', 'zh-CN': '两个后端的配对' },
  floorPairs: { en: 'Pairs of the control with itself', 'zh-CN': '对照与自身的配对' },
  left: { en: 'User left early', 'zh-CN': '用户提前离开' },
  failed: { en: 'Candidates that failed', 'zh-CN': '候选失败' },
  fence: { en: 'Side effects in a shadow', 'zh-CN': '影子执行中的副作用' },
  dropped: { en: 'Dropped, by reason', 'zh-CN': '被丢弃（按原因）' },
  dimensions: { en: 'Dimensions', 'zh-CN': '维度' },
  dimension: { en: 'Dimension', 'zh-CN': '维度' },
  net: { en: 'Change, with its interval', 'zh-CN': '变化及其区间' },
  verdict: { en: 'Verdict', 'zh-CN': '结论' },
  forest: {
    en: 'The dot is the change, the line its interval, the grey band the margin within which nothing changed, the thin line the noise of the control.',
    'zh-CN': '圆点为变化值，粗线为其区间，灰色带为视为相同的范围，细线为对照自身的噪声。',
  },
  noInterval: { en: 'no interval yet', 'zh-CN': '尚无区间' },
  distributions: { en: 'How times are spread', 'zh-CN': '耗时分布' },
  distributionsHint: {
    en: 'Share of the pairs by time, both sides over each other; the scale of the time is logarithmic.',
    'zh-CN': '按耗时统计的配对占比，两侧叠加显示；时间轴为对数刻度。',
  },
  noShadow: {
    en: 'No shadow ran in this span. Let a share of the sessions run on both backends: Rollout, field “Shadow”.',
    'zh-CN': '此时间段内没有影子执行。要让一部分会话同时在两个后端执行，请在“切流”页面设置影子比例。',
  },
  noPairs: { en: 'No pairs yet.', 'zh-CN': '尚无配对。' },
  sides: {
    en: 'Control: {control} · Candidate: {candidate}',
    'zh-CN': '对照：{control} · 候选：{candidate}',
  },
  time: { en: 'Time', 'zh-CN': '耗时' },
  beyond: { en: 'longer: users left', 'zh-CN': '更长：用户已离开' },
  outcomes: { en: 'Outcomes', 'zh-CN': '结果' },
  ok: { en: 'ok', 'zh-CN': '成功' },
  error: { en: 'error', 'zh-CN': '错误' },
  timeout: { en: 'timeout', 'zh-CN': '超时' },
  singlePairs: { en: 'Single pairs', 'zh-CN': '单个配对' },
  singlePairsHint: {
    en: 'A pair differs by 1 if one side succeeded and the other did not, else by the mean of its parts: how unlike text, plan and calls are, and how far times, length and tokens are apart.',
    'zh-CN':
      '一侧成功而另一侧失败时，差异为 1；否则取各项的平均值：文本、计划、调用的不相似程度，以及耗时、长度、Token 数的差距。',
  },
  order: { en: 'Order', 'zh-CN': '排序' },
  differMost: { en: 'those that differ most first', 'zh-CN': '差异最大的在前' },
  newest: { en: 'newest first', 'zh-CN': '最新的在前' },
  shownOf: { en: '{shown} of {compared} pairs', 'zh-CN': '显示 {shown} 个，共 {compared} 个配对' },
  difference: { en: 'Difference', 'zh-CN': '差异' },
  turn: { en: 'Turn', 'zh-CN': '轮次' },
  differsIn: { en: 'Differs most in', 'zh-CN': '差异主要在于' },
  session: { en: 'session', 'zh-CN': '会话' },
  noId: { en: 'id not kept', 'zh-CN': '未保留编号' },
  answers: { en: 'Both answers', 'zh-CN': '两侧的回答' },
  characters: { en: '{count} characters', 'zh-CN': '{count} 个字符' },
} as const satisfies Record<string, Sentence>

/** In which respects a pair differs. */
export const PAIR_PARTS: Readonly<Record<keyof ShadowPair['parts'], Sentence>> = {
  result: { en: 'result', 'zh-CN': '结果' },
  text: { en: 'text', 'zh-CN': '文本' },
  plan: { en: 'plan', 'zh-CN': '计划' },
  calls: { en: 'calls', 'zh-CN': '调用' },
  callOrder: { en: 'order of calls', 'zh-CN': '调用顺序' },
  latency: MEASURES.latency,
  firstContent: MEASURES.first_content,
  length: { en: 'length', 'zh-CN': '长度' },
  tokens: { en: 'tokens', 'zh-CN': 'Token 数' },
}

export const DIMENSIONS: Readonly<Record<ShadowDimension, Sentence>> = {
  ...MEASURES,
  success_rate: { en: 'success rate', 'zh-CN': '成功率' },
  length: { en: 'length', 'zh-CN': '长度' },
  tokens: { en: 'tokens', 'zh-CN': 'Token 数' },
  text_similarity: { en: 'text', 'zh-CN': '文本相似度' },
  plan_similarity: { en: 'plan', 'zh-CN': '计划相似度' },
  call_set_similarity: { en: 'calls', 'zh-CN': '调用集合相似度' },
  call_order_similarity: { en: 'order of calls', 'zh-CN': '调用顺序相似度' },
}
