import { useState } from 'preact/hooks'
import type { Explanation } from '../../protocol/api.js'
import type { FallbackStatus, TriggerRequest } from '../../protocol/fallback.js'
import { usePulse } from '../api/pulse.js'
import { useResource } from '../api/resource.js'
import { claims } from '../api/session.js'
import { Loaded } from '../parts/states.js'
import { FALLBACK } from '../text/fallback.js'
import { dateTime } from '../text/format.js'
import { t } from '../text/language.js'
import { SHELL } from '../text/shell.js'
import { AskTrigger, TriggerForm } from './trigger.js'

/** ms between two looks: events are for those who see all orgs */
const EVERY_MS = 5_000

/** For an admin of one org among several: whether its sessions are held, and the trigger for that org alone. */
export function OrgFallback() {
  const orgId = claims.value?.orgId ?? ''
  const [asked, setAsked] = useState<TriggerRequest | undefined>(undefined)
  const [started, setStarted] = useState<FallbackStatus | undefined>(undefined)
  const decision = useResource<Explanation>('/runtime/explain', [usePulse(EVERY_MS), started])
  return (
    <>
      <h1>{t(SHELL.fallback)}</h1>
      <section class="card" aria-labelledby="manual">
        <h2 id="manual">{t(FALLBACK.state)}</h2>
        <Loaded resource={decision}>
          {({ steps: [override] }) =>
            override !== undefined && (
              <p class="held">
                <span class={`badge ${override.decides ? 'bad' : 'good'}`}>
                  {t(override.decides ? FALLBACK.orgHeld : FALLBACK.orgFree, { orgId })}
                </span>{' '}
                {override.why}
              </p>
            )
          }
        </Loaded>
        {started !== undefined && (
          <p class="notice" role="status">
            {t(FALLBACK.orgStarted, { orgId })}{' '}
            {started.manual.until !== null && t(FALLBACK.until, { at: dateTime(started.manual.until) })}
          </p>
        )}
        <p>{t(FALLBACK.orgMay, { orgId })}</p>
        <TriggerForm ask={setAsked} orgId={orgId} />
        {asked !== undefined && (
          <AskTrigger trigger={asked} done={setStarted} close={() => setAsked(undefined)} />
        )}
      </section>
    </>
  )
}
