import { useEffect, useState } from 'preact/hooks'
import type { Explanation } from '../../protocol/api.js'
import type { OrgMetricsView } from '../../protocol/fallback.js'
import { keepSample, type Sample } from '../api/live.js'
import { usePulse } from '../api/pulse.js'
import { useResource } from '../api/resource.js'
import { claims } from '../api/session.js'
import { Loaded } from '../parts/states.js'
import { t } from '../text/language.js'
import { OVERVIEW } from '../text/overview.js'
import { MODES } from '../text/parts.js'
import { SHELL } from '../text/shell.js'
import { Charts } from './charts.js'
import { KeptFault } from './kept-fault.js'
import { useLastHour, WINDOW_SECONDS } from './last-hour.js'

/** ms between two looks: events are for those who see all orgs */
const EVERY_MS = 5_000

/** For an admin of one org among several: how its turns do, and where a new session of it would go. */
export function OrgOverview() {
  const orgId = claims.value?.orgId ?? ''
  const round = usePulse(EVERY_MS)
  const [samples, setSamples] = useState<readonly Sample[]>([])
  const metrics = useResource<OrgMetricsView>(`/runtime/metrics/${encodeURIComponent(orgId)}`, [round])
  const decision = useResource<Explanation>('/runtime/explain', [round])
  const hour = useLastHour(samples, { orgId })
  const measured = metrics.state === 'ready' ? metrics.answer.data : undefined
  useEffect(() => {
    if (measured === undefined) return
    const { direct, runtime } = measured
    setSamples((before) => keepSample(before, { at: Date.now(), direct, runtime }))
  }, [measured])
  return (
    <>
      <h1 class="hidden">{t(SHELL.overview)}</h1>
      <section class="now" aria-live="polite">
        <Loaded resource={decision}>
          {({ decision: { mode } }) => <p>{t(OVERVIEW.ofOrg, { orgId, mode: t(MODES[mode]) })}</p>}
        </Loaded>
      </section>
      <Loaded resource={metrics}>
        {() => (
          <Charts samples={hour.samples} marks={[]} windowSeconds={WINDOW_SECONDS} guardrails={undefined}>
            <KeptFault kept={hour.kept} />
          </Charts>
        )}
      </Loaded>
    </>
  )
}
