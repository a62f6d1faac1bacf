import { z } from 'zod'
import {
  actorSchema,
  type FallbackCause,
  fallbackCauseSchema,
  fallbackStateSchema,
  manualScopeSchema,
} from '../../protocol/fallback.js'
import { tripReason } from '../../protocol/fallback-reason.js'
import {
  fallbackScopeSchema,
  joinScopeIds,
  readScope,
  scopeName,
  scopeNote,
} from '../../protocol/fallback-scope.js'
import { instant } from '../../protocol/instant.js'
import {
  type AutoLayer,
  type ManualLayer,
  type ManualTarget,
  NEUTRAL,
  type Override,
  scopeOfAuto,
} from './override.js'
import { wholePercent } from './override-flag.js'

export type FlatMetadata = Readonly<Record<string, string | number | boolean>>

/** The flag's metadata as the protocol lists it, without `description` and `checksum`; absent parts are left out. */
export function metadataOf(override: Override): Record<string, string | number | boolean> {
  const { auto, manual, trips, evidenceSince, revision, replica, actor, updatedAt } = override
  const trip = auto.state === 'normal' ? undefined : auto.trip
  const scope = scopeOfAuto(auto)
  return present({
    state: auto.state,
    scope: auto.state === 'normal' ? undefined : scopeName(scope),
    scopeIds: scope === undefined ? undefined : joinScopeIds(scope.ids),
    cause: causeOf(override),
    reason: reasonOf(override),
    value: finite(trip?.value),
    threshold: finite(trip?.threshold),
    since: auto.state === 'normal' ? undefined : isoTime(auto.since),
    holdUntil: auto.state === 'fallback' ? isoTime(auto.holdUntil) : undefined,
    trips,
    recoveringPercent: auto.state === 'recovering' ? wholePercent(auto.percent) : undefined,
    evidenceSince: isoTime(evidenceSince),
    manual: manual.scope,
    manualReason: manual.scope === 'none' || manual.reason === '' ? undefined : manual.reason,
    manualUntil: manual.scope === 'none' ? undefined : isoTime(manual.until),
    revision,
    replica,
    actor,
    updatedAt: isoTime(updatedAt),
  })
}

function causeOf({ auto, manual }: Override): FallbackCause | undefined {
  if (auto.state !== 'normal') return auto.trip.cause
  return manual.scope === 'none' ? undefined : 'manual'
}

/** For people who read the file, in the language of the log lines they search for. */
function reasonOf({ auto, manual }: Override): string | undefined {
  if (auto.state !== 'normal') return tripReason(auto.trip, 'zh-CN') + scopeNote(auto.scope, 'zh-CN')
  return manual.scope === 'none' || manual.reason === '' ? undefined : manual.reason
}

export const instantSchema = z
  .string()
  .transform((text) => Date.parse(text))
  .refine(Number.isFinite)
const countSchema = z.number().int().min(0)

const metadataSchema = z.object({
  state: fallbackStateSchema,
  // Absent in files of earlier versions, whose fallback is always for everybody.
  scope: fallbackScopeSchema.default('all'),
  scopeIds: z.string().optional(),
  cause: fallbackCauseSchema.optional(),
  value: z.number().optional(),
  threshold: z.number().optional(),
  since: instantSchema.optional(),
  holdUntil: instantSchema.optional(),
  trips: countSchema.default(0),
  recoveringPercent: z.number().int().min(0).max(100).optional(),
  evidenceSince: instantSchema.optional(),
  manual: manualScopeSchema.default('none'),
  manualReason: z.string().default(''),
  manualUntil: instantSchema.optional(),
  revision: countSchema,
  replica: z.string().optional(),
  actor: actorSchema.default('auto'),
  updatedAt: instantSchema.optional(),
})
type Metadata = z.infer<typeof metadataSchema>

/**
 * The override that metadata tells of; `target` is whom a scoped manual layer covers, which stands in the targeting.
 * `undefined` where anything that the state needs is missing or wrong.
 */
export function readMetadata(metadata: unknown, target: ManualTarget | undefined): Override | undefined {
  const parsed = metadataSchema.safeParse(metadata)
  if (!parsed.success) return undefined
  const auto = readAuto(parsed.data)
  const manual = readManual(parsed.data, target)
  if (auto === undefined || manual === undefined) return undefined
  const { trips, evidenceSince, revision, replica, actor, updatedAt } = parsed.data
  return {
    auto,
    manual,
    trips,
    ...(evidenceSince === undefined ? {} : { evidenceSince }),
    revision,
    ...(replica === undefined ? {} : { replica }),
    actor,
    ...(updatedAt === undefined ? {} : { updatedAt }),
  }
}

function readAuto(metadata: Metadata): AutoLayer | undefined {
  const { state, cause, value, threshold, since, holdUntil, recoveringPercent } = metadata
  if (state === 'normal') return { state }
  if (cause === undefined || value === undefined || threshold === undefined || since === undefined)
    return undefined
  const scope = readScope(metadata.scope, metadata.scopeIds)
  if (scope === undefined) return undefined
  const tripped = { trip: { cause, value, threshold }, since, ...scope }
  if (state === 'fallback') return holdUntil === undefined ? undefined : { state, ...tripped, holdUntil }
  return recoveringPercent === undefined ? undefined : { state, ...tripped, percent: recoveringPercent }
}

function readManual(metadata: Metadata, target: ManualTarget | undefined): ManualLayer | undefined {
  const words = manualWords(metadata)
  switch (metadata.manual) {
    case 'none':
      return { scope: 'none' }
    case 'all':
      return { scope: 'all', ...words }
    case 'orgs':
      return target === undefined ? undefined : { scope: 'orgs', target, ...words }
  }
}

function manualWords({ manualReason, manualUntil }: Pick<Metadata, 'manualReason' | 'manualUntil'>) {
  return { reason: manualReason, ...(manualUntil === undefined ? {} : { until: manualUntil }) }
}

/** A person's words about a manual layer, as far as they are there. */
export function readManualWords(metadata: unknown): { readonly reason: string; readonly until?: number } {
  const parsed = metadataSchema
    .pick({ manualReason: true, manualUntil: true })
    .extend({ manualReason: z.string().catch(''), manualUntil: instantSchema.optional().catch(undefined) })
    .safeParse(metadata)
  return parsed.success ? manualWords(parsed.data) : { reason: '' }
}

/** `undefined` if there is no whole number from 0 on. */
export function readRevision(metadata: unknown): number | undefined {
  const parsed = z.object({ revision: countSchema }).safeParse(metadata)
  return parsed.success ? parsed.data.revision : undefined
}

/**
 * What a provider's flat metadata alone tells: whom a scoped manual layer covers is not in it (no orgs), and where the
 * rest makes no sense only the revision counts. `undefined` without a revision.
 */
export function overrideOfMetadata(metadata: FlatMetadata): Override | undefined {
  const whole = readMetadata(metadata, { kind: 'orgs', orgIds: [] })
  if (whole !== undefined) return whole
  const revision = readRevision(metadata)
  return revision === undefined ? undefined : { ...NEUTRAL, revision }
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined || Number.isNaN(ms) ? undefined : instant(ms)
}

/** JSON has no other numbers. */
function finite(value: number | undefined): number | undefined {
  return value === undefined || Number.isFinite(value) ? value : 0
}

/** Without the parts that are absent. */
export function present(
  values: Readonly<Record<string, string | number | boolean | undefined>>,
): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
}
