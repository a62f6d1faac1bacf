import { instant } from '../../protocol/instant.js'
import type { RolloutView } from '../../protocol/rollout.js'
import { permanentCommand, rolloutSummary } from '../../protocol/rollout-text.js'
import type { RolloutAlert, RolloutSnapshot } from '../../rollout/rollout.js'
import type { Language, Sentence } from '../edge/language.js'

/** `GET /runtime/rollout`: the rollout as this replica has it now, in the caller's language. */
export function rolloutView(snapshot: RolloutSnapshot, language: Language): RolloutView {
  const { rollout, verdict, lease } = snapshot
  const { progress } = rollout
  const plan = progress.state === 'none' ? undefined : progress.plan
  const failed = 'failed' in progress ? progress.failed : undefined
  const breach = progress.state === 'ended' ? progress.breach : failed?.breach
  const told = {
    state: progress.state,
    percent: snapshot.percent,
    stage: 'stage' in progress ? progress.stage + 1 : null,
    plan:
      plan === undefined
        ? null
        : {
            stages: [...plan.stages],
            everyMinutes: plan.everyMinutes,
            orgIds: plan.orgIds === undefined ? null : [...plan.orgIds],
            agentIds: plan.agentIds === undefined ? null : [...plan.agentIds],
          },
    since: progress.state === 'none' ? null : instant(progress.since),
    end: progress.state === 'ended' ? progress.how : null,
    failedPercent: failed === undefined ? null : (plan?.stages[failed.stage] ?? null),
    cause: breach?.cause ?? null,
    value: breach?.value ?? null,
    threshold: breach?.threshold ?? null,
    reason: 'reason' in progress ? progress.reason : '',
    waitsFor: snapshot.waitsFor,
  }
  return {
    ...told,
    verdict: verdict?.kind ?? null,
    evidence: { ...snapshot.evidence },
    secondsLeft: snapshot.secondsLeft === null ? null : Math.round(snapshot.secondsLeft),
    summary: rolloutSummary(told, language),
    next:
      told.state === 'finished' && told.plan !== null
        ? permanentCommand({ ...told.plan, percent: told.percent })
        : null,
    persisted: snapshot.persisted,
    propagated: snapshot.propagated,
    revision: rollout.revision,
    lease: { holder: lease.holder ?? null, mine: lease.mine },
    alerts: snapshot.alerts.map((alert) => alertText(alert)[language]),
    replica: snapshot.replica,
  }
}

function alertText(alert: RolloutAlert): Sentence {
  const { detail } = alert
  switch (alert.kind) {
    case 'store_unreadable':
      return {
        'zh-CN': `无法读取灰度放量标志所在的文件 (${detail})，沿用最近一次读到的状态；请检查该文件及其文件系统`,
        en: `The file with the rollout's flag cannot be read (${detail}). What was read last holds; check the file and its file system`,
      }
    case 'not_persisted':
      return {
        'zh-CN': `无法写入灰度放量标志所在的文件 (${detail})。后退只在本副本的内存中生效，放量暂停推进；请检查该目录是否存在、可写且有剩余空间`,
        en: `The file with the rollout's flag cannot be written (${detail}). A step back acts in this replica's memory alone, and nothing is raised; check that the directory exists, is writable and has room`,
      }
    case 'hand_edit_refused':
      return {
        'zh-CN': `对灰度放量标志的手工修改被拒绝，已恢复原状态: ${detail}`,
        en: `An edit of the rollout's flag by hand was refused, and the present state written again: ${detail}`,
      }
    case 'loop_failed':
      return {
        'zh-CN': `灰度放量循环的一次运行出错: ${detail}。循环会继续运行；如持续出现，请查看日志并反馈`,
        en: `One run of the rollout loop failed: ${detail}. The loop continues; if this repeats, check the log and report it`,
      }
  }
}
