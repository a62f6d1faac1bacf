import type { FallbackSnapshot } from '../../fallback/fallback.js'
import type { PublicWindows } from '../../metrics/windows/windows.js'
import type { FallbackData, FallbackStatus, MetricsView } from '../../protocol/fallback.js'
import { tripReason } from '../../protocol/fallback-reason.js'
import { type Scope, scopeName, scopeNote } from '../../protocol/fallback-scope.js'
import { instant } from '../../protocol/instant.js'
import type { SeenReplica } from '../../replicas/replicas.js'
import type { AutoLayer, ManualLayer, Override, Trip } from '../../store/override/override.js'
import type { Language, Sentence } from '../edge/language.js'
import { alertText } from './alert-text.js'

/** Answers about the fallback, made from what this replica has now, in the caller's language. */

const BY_HAND: Sentence = { 'zh-CN': '手动回退（未说明原因）', en: 'Fallback by hand (no reason given)' }

type Speaker =
  | { readonly kind: 'none' }
  | { readonly kind: 'auto'; readonly trip: Trip; readonly scope?: Scope }
  | { readonly kind: 'manual'; readonly reason: string }

/** Which layer the reason is taken from: a person's for everybody, then the automatic one, then a person's for some. */
function speakerOf({ auto, manual }: Pick<Override, 'auto' | 'manual'>): Speaker {
  if (manual.scope === 'all') return { kind: 'manual', reason: manual.reason }
  if (auto.state !== 'normal')
    return { kind: 'auto', trip: auto.trip, ...(auto.scope === undefined ? {} : { scope: auto.scope }) }
  if (manual.scope === 'orgs') return { kind: 'manual', reason: manual.reason }
  return { kind: 'none' }
}

/** `fallbackReason`: why there is a fallback; `""` where there is none. */
export function fallbackReason(override: Pick<Override, 'auto' | 'manual'>, language: Language): string {
  const speaker = speakerOf(override)
  switch (speaker.kind) {
    case 'none':
      return ''
    case 'auto':
      return tripReason(speaker.trip, language) + scopeNote(speaker.scope, language)
    case 'manual':
      return speaker.reason.trim() === '' ? BY_HAND[language] : speaker.reason
  }
}

/** True while either layer sends anybody to the direct LLM. */
export function fallbackEnabled({ auto, manual }: Pick<Override, 'auto' | 'manual'>): boolean {
  return auto.state !== 'normal' || manual.scope !== 'none'
}

/** `GET /runtime/metrics`. */
export function metricsView(
  windows: Pick<PublicWindows, 'overall'>,
  { override }: Pick<FallbackSnapshot, 'override'>,
  language: Language,
): MetricsView {
  return {
    direct: windows.overall('direct_llm'),
    runtime: windows.overall('runtime_orchestrator'),
    fallbackEnabled: fallbackEnabled(override),
    fallbackReason: fallbackReason(override, language),
  }
}

/** `GET /runtime/fallback/status`. @param replicas that the reader may know of */
export function statusView(
  snapshot: FallbackSnapshot,
  language: Language,
  replicas: readonly SeenReplica[] = [],
): FallbackStatus {
  const { override, policy, wouldTrip, probe, lease, isolated, alerts, replica } = snapshot
  return {
    fallbackEnabled: fallbackEnabled(override),
    fallbackReason: fallbackReason(override, language),
    fallback: dataOf(snapshot),
    manual: manualView(override.manual),
    policy,
    wouldTrip: wouldTrip === undefined ? '' : tripReason(wouldTrip, language),
    probe: { healthy: probe.healthy ?? null, failures: probe.failures, at: instantOrNull(probe.at) },
    lease: { holder: lease.holder ?? null, mine: lease.mine },
    isolated,
    alerts: alerts.map((alert) => alertText(alert)[language]),
    alertKinds: alerts.map(({ kind }) => kind),
    replica,
    replicas: replicas.map(({ firstSeen, lastSeen, ...rest }) => ({
      ...rest,
      firstSeen: instant(firstSeen),
      lastSeen: instant(lastSeen),
    })),
  }
}

/**
 * What an admin of one org may see of the status where several tenants share the deployment: what acts on that org, no
 * other org's name, no words meant for others, no lease and no alert.
 */
export function snapshotForOrg(snapshot: FallbackSnapshot, orgId: string): FallbackSnapshot {
  const { wouldTrip: _all, ...rest } = snapshot
  const { auto, manual } = snapshot.override
  return {
    ...rest,
    override: { ...snapshot.override, auto: autoForOrg(auto, orgId), manual: manualForOrg(manual, orgId) },
    lease: { mine: false },
    alerts: [],
  }
}

/** Agents may be other orgs' own: that some are concerned is told, and not which. */
function autoForOrg(auto: AutoLayer, orgId: string): AutoLayer {
  if (auto.state === 'normal' || auto.scope === undefined) return auto
  const { scope } = auto
  if (scope.dimension === 'agents') return { ...auto, scope: { ...scope, ids: [] } }
  return scope.ids.includes(orgId) ? { ...auto, scope: { ...scope, ids: [orgId] } } : { state: 'normal' }
}

function manualForOrg(manual: ManualLayer, orgId: string): ManualLayer {
  // A person's own rule names its orgs nowhere a client could see.
  if (manual.scope !== 'orgs' || manual.target.kind === 'rule') return manual
  if (!manual.target.orgIds.includes(orgId)) return { scope: 'none' }
  return { ...manual, target: { kind: 'orgs', orgIds: [orgId] } }
}

/** `state`, `since` and `holdUntil` are the automatic layer's; cause, value and threshold those of the reason. */
function dataOf({ override, persisted, propagated, propagationMs }: FallbackSnapshot): FallbackData {
  const { auto, trips, revision } = override
  return {
    state: auto.state,
    ...scopeFields(auto),
    ...causeOf(speakerOf(override)),
    ...timesOf(auto),
    trips,
    persisted,
    propagated,
    propagationMs: propagationMs ?? null,
    revision,
    replica: override.replica ?? '',
  }
}

function scopeFields(auto: AutoLayer): Pick<FallbackData, 'scope' | 'scopeIds'> {
  if (auto.state === 'normal') return { scope: null, scopeIds: [] }
  return { scope: scopeName(auto.scope), scopeIds: [...(auto.scope?.ids ?? [])] }
}

function causeOf(speaker: Speaker): Pick<FallbackData, 'cause' | 'value' | 'threshold'> {
  if (speaker.kind === 'none') return { cause: null, value: null, threshold: null }
  if (speaker.kind === 'manual' || speaker.trip.cause === 'manual')
    return { cause: 'manual', value: null, threshold: null }
  const { cause, value, threshold } = speaker.trip
  return { cause, value, threshold }
}

function timesOf(auto: AutoLayer): Pick<FallbackData, 'since' | 'holdUntil' | 'recoveringPercent'> {
  switch (auto.state) {
    case 'normal':
      return { since: null, holdUntil: null, recoveringPercent: null }
    case 'fallback':
      return { since: instant(auto.since), holdUntil: instant(auto.holdUntil), recoveringPercent: null }
    case 'recovering':
      return { since: instant(auto.since), holdUntil: null, recoveringPercent: auto.percent }
  }
}

function manualView(manual: ManualLayer): FallbackStatus['manual'] {
  if (manual.scope === 'none') return { scope: 'none', orgIds: [], reason: '', until: null }
  const scoped = manual.scope === 'orgs' && manual.target.kind === 'orgs'
  return {
    scope: manual.scope,
    orgIds: scoped ? [...manual.target.orgIds] : [],
    reason: manual.reason,
    until: instantOrNull(manual.until),
  }
}

const instantOrNull = (ms: number | undefined): string | null => (ms === undefined ? null : instant(ms))
