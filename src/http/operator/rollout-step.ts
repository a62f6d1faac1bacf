import type { RolloutSnapshot } from '../../rollout/rollout.js'
import type { Language } from '../edge/language.js'

interface Asked {
  readonly orgId: string
  readonly agentId: string
}

/** Why the rollout says what it says for one caller; `decides`: it settled the decision. */
export function rolloutWhy(
  asked: Asked,
  { on, whose }: { readonly on: boolean; readonly whose: 'provider' | 'own' },
  decides: boolean,
  { rollout: { progress }, percent }: Pick<RolloutSnapshot, 'rollout' | 'percent'>,
  language: Language,
): string {
  const zh = language === 'zh-CN'
  const ours =
    whose === 'own'
      ? zh
        ? '（本副本的状态比标志来源给出的更新）'
        : " (this replica's own word, newer than the provider's)"
      : ''
  if (on && decides)
    return (
      (zh
        ? `灰度放量（${percent}%）把该会话放到 Runtime`
        : `the guarded rollout (${percent}%) puts this session on the runtime`) + ours
    )
  if (on)
    return (
      (zh
        ? '该会话在灰度放量范围内，但回退或执行模式标志另有决定'
        : 'on for this session, but the override or the execution mode flag decides') + ours
    )
  const plan = progress.state === 'none' ? undefined : progress.plan
  if (plan === undefined || percent === 0)
    return (zh ? '没有进行中的灰度放量' : 'no rollout is under way') + ours
  const isFor =
    plan.orgIds?.includes(asked.orgId) !== false && plan.agentIds?.includes(asked.agentId) !== false
  if (!isFor)
    return (
      (zh
        ? '灰度放量仅限部分组织或智能体，不含该调用方'
        : 'the rollout is for some orgs or agents alone, and this caller is none of them') + ours
    )
  return (
    (zh
      ? `该会话不在灰度放量的 ${percent}% 之内`
      : `this session is not among the ${percent}% of the rollout`) + ours
  )
}
