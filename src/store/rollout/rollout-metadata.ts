import { z } from 'zod'
import { actorSchema, tripCauseSchema } from '../../protocol/fallback.js'
import { joinScopeIds, splitScopeIds } from '../../protocol/fallback-scope.js'
import { instant } from '../../protocol/instant.js'
import { rolloutEndSchema, rolloutStagesSchema, rolloutStateSchema } from '../../protocol/rollout.js'
import { type FlatMetadata, instantSchema, present } from '../override/override-metadata.js'
import {
  type Breach,
  percentOf,
  planOf,
  type Rollout,
  type RolloutPlan,
  type RolloutProgress,
} from './rollout.js'

/** The flag's metadata, flat, without `description` and `checksum`; absent parts are left out. */
export function rolloutMetadata(rollout: Rollout): FlatMetadata {
  const { progress, evidenceSince, revision, replica, actor, updatedAt } = rollout
  const plan = planOf(progress)
  const failed = 'failed' in progress ? progress.failed : undefined
  const breach = progress.state === 'ended' ? progress.breach : failed?.breach
  return present({
    state: progress.state,
    percent: progress.state === 'none' ? undefined : percentOf(progress),
    stages: plan?.stages.join(','),
    everyMinutes: plan?.everyMinutes,
    orgIds: plan?.orgIds && joinScopeIds(plan.orgIds),
    agentIds: plan?.agentIds && joinScopeIds(plan.agentIds),
    since: progress.state === 'none' ? undefined : instant(progress.since),
    end: progress.state === 'ended' ? progress.how : undefined,
    failedPercent: failed && plan?.stages[failed.stage],
    cause: breach?.cause,
    value: breach?.value,
    threshold: breach?.threshold,
    reason: 'reason' in progress && progress.reason !== '' ? progress.reason : undefined,
    evidenceSince: evidenceSince === undefined ? undefined : instant(evidenceSince),
    revision,
    replica,
    actor,
    updatedAt: updatedAt === undefined ? undefined : instant(updatedAt),
  })
}

const idsSchema = z.string().transform(splitScopeIds)

const metadataSchema = z.object({
  state: rolloutStateSchema,
  percent: z.number().int().min(0).max(100).optional(),
  stages: z
    .string()
    .transform((text) => text.split(',').map(Number))
    .pipe(rolloutStagesSchema)
    .optional(),
  everyMinutes: z.number().positive().optional(),
  orgIds: idsSchema.optional(),
  agentIds: idsSchema.optional(),
  since: instantSchema.optional(),
  end: rolloutEndSchema.optional(),
  failedPercent: z.number().int().optional(),
  cause: tripCauseSchema.optional(),
  value: z.number().optional(),
  threshold: z.number().optional(),
  reason: z.string().default(''),
  evidenceSince: instantSchema.optional(),
  revision: z.number().int().min(0),
  replica: z.string().optional(),
  actor: actorSchema.default('auto'),
  updatedAt: instantSchema.optional(),
})
type Metadata = z.infer<typeof metadataSchema>

/** The rollout that metadata tells of; undefined if anything that the state needs is missing or wrong. */
export function readRolloutMetadata(metadata: unknown): Rollout | undefined {
  const parsed = metadataSchema.safeParse(metadata)
  if (!parsed.success) return undefined
  const progress = progressIn(parsed.data)
  if (progress === undefined) return undefined
  const { evidenceSince, revision, replica, actor, updatedAt } = parsed.data
  return {
    progress,
    ...(evidenceSince === undefined ? {} : { evidenceSince }),
    revision,
    ...(replica === undefined ? {} : { replica }),
    actor,
    ...(updatedAt === undefined ? {} : { updatedAt }),
  }
}

function progressIn(metadata: Metadata): RolloutProgress | undefined {
  const { state, since, end, reason } = metadata
  if (state === 'none') return { state }
  const plan = planIn(metadata)
  if (plan === undefined || since === undefined) return undefined
  const breach = breachIn(metadata)
  switch (state) {
    case 'running':
    case 'paused': {
      const stage = plan.stages.indexOf(metadata.percent ?? 0)
      if (stage < 0) return undefined
      const failedStage = plan.stages.indexOf(metadata.failedPercent ?? 0)
      const failed = failedStage < 0 || breach === undefined ? {} : { failed: { stage: failedStage, breach } }
      return state === 'running'
        ? { state, plan, stage, since, ...failed }
        : { state, plan, stage, since, reason, ...failed }
    }
    case 'finished':
      return { state, plan, since }
    case 'ended':
      if (end === undefined) return undefined
      return { state, plan, how: end, since, ...(breach === undefined ? {} : { breach }), reason }
  }
}

function planIn({ stages, everyMinutes, orgIds, agentIds }: Metadata): RolloutPlan | undefined {
  if (stages === undefined || everyMinutes === undefined) return undefined
  return {
    stages,
    everyMinutes,
    ...(orgIds === undefined ? {} : { orgIds }),
    ...(agentIds === undefined ? {} : { agentIds }),
  }
}

function breachIn({ cause, value, threshold }: Metadata): Breach | undefined {
  if (cause === undefined || value === undefined || threshold === undefined) return undefined
  return { cause, value, threshold }
}
