import { useState } from 'preact/hooks'
import type { FallbackStatus, TriggerRequest } from '../../protocol/fallback.js'
import { status as liveStatus } from '../api/live.js'
import { request } from '../api/request.js'
import { Confirm } from '../parts/confirm.js'
import { FALLBACK } from '../text/fallback.js'
import { dateTime, names } from '../text/format.js'
import { t } from '../text/language.js'
import { AskTrigger, Traffic, TriggerForm } from './trigger.js'

/** What people did by hand, and what they may do. */
export function Controls({ status }: { readonly status: FallbackStatus }) {
  const [asked, setAsked] = useState<TriggerRequest | 'reset' | undefined>(undefined)
  const { manual, fallbackEnabled, fallback } = status
  const idle = !fallbackEnabled && fallback.state === 'normal' && manual.scope === 'none'
  return (
    <section class="card" aria-labelledby="manual">
      <h2 id="manual">{t(FALLBACK.manual)}</h2>
      <p>
        {manual.scope === 'none' && t(FALLBACK.manualNone)}
        {manual.scope === 'all' && t(FALLBACK.manualAll)}
        {manual.scope === 'orgs' && t(FALLBACK.manualOrgs, { ids: names(manual.orgIds, 20) })}{' '}
        {manual.until !== null && t(FALLBACK.until, { at: dateTime(manual.until) })}
      </p>
      {manual.reason !== '' && <blockquote>{manual.reason}</blockquote>}
      <TriggerForm ask={setAsked} />
      <div class="actions">
        <button type="button" disabled={idle} onClick={() => setAsked('reset')}>
          {t(FALLBACK.reset)}
        </button>
        {idle && <span class="quiet">{t(FALLBACK.nothingToReset)}</span>}
      </div>
      {asked === 'reset' && <AskReset close={() => setAsked(undefined)} />}
      {typeof asked === 'object' && (
        <AskTrigger
          trigger={asked}
          done={(now) => {
            liveStatus.value = now
          }}
          close={() => setAsked(undefined)}
        />
      )}
    </section>
  )
}

async function resetNow(): Promise<void> {
  const { data } = await request<FallbackStatus>('/runtime/fallback/reset', { method: 'POST' })
  liveStatus.value = data
}

function AskReset({ close }: { readonly close: () => void }) {
  return (
    <Confirm title={t(FALLBACK.resetTitle)} yes={t(FALLBACK.resetYes)} danger act={resetNow} close={close}>
      <p>{t(FALLBACK.resetEffect)}</p>
      <Traffic />
    </Confirm>
  )
}
