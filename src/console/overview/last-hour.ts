import { useMemo } from 'preact/hooks'
import type { TransitionEvent, TransitionView } from '../../protocol/fallback.js'
import type { MetricsHistory } from '../../protocol/kept-metrics.js'
import { HOUR_MS, type Sample } from '../api/live.js'
import { usePulse } from '../api/pulse.js'
import { type Resource, useResource } from '../api/resource.js'
import type { Mark } from '../parts/plot.js'

/** ms between two reads of what was kept: below the half hour that the page itself holds, so that no gap opens */
const EVERY_MS = 600_000

/** Of a window, in s, where the guardrails do not say; and the lengths that the service takes. */
export const WINDOW_SECONDS = 300
const SHORTEST = 60
const LONGEST = 3_600

/** The last hour of figures: those that the service kept, and from the first one of this page on the live ones. */
export function useLastHour(
  live: readonly Sample[],
  { orgId, windowSeconds = WINDOW_SECONDS }: { readonly orgId?: string; readonly windowSeconds?: number },
): { readonly samples: readonly Sample[]; readonly kept: Resource<MetricsHistory> } {
  const asked = new URLSearchParams({
    windowSeconds: String(Math.min(LONGEST, Math.max(SHORTEST, windowSeconds))),
    ...(orgId === undefined ? {} : { orgId }),
  })
  const kept = useResource<MetricsHistory>(`/runtime/metrics-history?${asked}`, [usePulse(EVERY_MS)])
  const points = kept.state === 'ready' ? kept.answer.data.points : undefined
  const samples = useMemo(() => joined(points ?? [], live), [points, live])
  return { samples, kept }
}

function joined(points: MetricsHistory['points'], live: readonly Sample[]): readonly Sample[] {
  const end = live.at(-1)?.at ?? Number.POSITIVE_INFINITY
  const begin = live[0]?.at ?? Number.POSITIVE_INFINITY
  const before = points
    .map(({ at, direct, runtime }): Sample => ({ at: Date.parse(at), direct, runtime }))
    .filter(({ at }) => at < begin && (end === Number.POSITIVE_INFINITY || at > end - HOUR_MS))
  // A service that has only just begun shows its minutes, not an empty hour.
  const first = before.findIndex(({ direct, runtime }) => direct.total + runtime.total > 0)
  return [...(first < 0 ? [] : before.slice(first)), ...live]
}

/** What the journal has of the last transitions, and what happened since, each once. */
export function useMarks(live: readonly TransitionEvent[]): readonly Mark[] {
  const kept = useResource<TransitionView[]>('/runtime/fallback/history?limit=100', [usePulse(EVERY_MS)])
  const history = kept.state === 'ready' ? kept.answer.data : undefined
  return useMemo(() => {
    const all = [...live, ...(history ?? [])].map(
      ({ at, kind }): Mark => ({ at: Date.parse(at), name: kind }),
    )
    return [...new Map(all.map((mark) => [`${mark.at} ${mark.name}`, mark])).values()]
  }, [live, history])
}
