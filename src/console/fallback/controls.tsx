import { useState } from 'preact/hooks'
import type { FallbackStatus, TriggerRequest } from '../../protocol/fallback.js'
import { status as liveStatus, samples } from '../api/live.js'
import { request } from '../api/request.js'
import { Confirm } from '../parts/confirm.js'
import { FALLBACK } from '../text/fallback.js'
import { count, dateTime, duration, names } from '../text/format.js'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'

/** s after which a manual fallback ends by itself; 0: never */
const TTLS = [900, 3600, 4 * 3600, 24 * 3600, 0]

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
      {typeof asked === 'object' && <AskTrigger trigger={asked} close={() => setAsked(undefined)} />}
    </section>
  )
}

function TriggerForm({ ask }: { readonly ask: (trigger: TriggerRequest) => void }) {
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault()
        ask(triggerOf(new FormData(event.currentTarget)))
      }}
    >
      <h3>{t(FALLBACK.trigger)}</h3>
      <label>
        {t(FALLBACK.triggerOrgs)}
        <textarea name="orgs" rows={2} spellcheck={false} />
      </label>
      <label>
        {t(FALLBACK.triggerTtl)}
        <select name="ttl">
          {TTLS.map((seconds) => (
            <option key={seconds} value={seconds}>
              {seconds === 0 ? t(FALLBACK.ttlNever) : duration(seconds * 1000)}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t(PARTS.reason)}
        <input name="reason" maxLength={500} />
      </label>
      <button type="submit" class="danger">
        {t(FALLBACK.triggerAsk)}
      </button>
    </form>
  )
}

function triggerOf(form: FormData): TriggerRequest {
  const orgIds = String(form.get('orgs') ?? '')
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const ttlSeconds = Number(form.get('ttl'))
  const reason = String(form.get('reason') ?? '').trim()
  return {
    ...(orgIds.length === 0 ? {} : { orgIds }),
    ...(ttlSeconds === 0 ? {} : { ttlSeconds }),
    ...(reason === '' ? {} : { reason }),
  }
}

async function act(path: string, body?: TriggerRequest): Promise<void> {
  const { data } = await request<FallbackStatus>(path, { method: 'POST', body })
  liveStatus.value = data
}

function AskTrigger({ trigger, close }: { readonly trigger: TriggerRequest; readonly close: () => void }) {
  const { orgIds = [], ttlSeconds } = trigger
  const whom = orgIds.length === 0 ? t(PARTS.everybody) : names(orgIds, 20)
  const ends =
    ttlSeconds === undefined
      ? t(FALLBACK.endsNever)
      : t(FALLBACK.endsAfter, { duration: duration(ttlSeconds * 1000) })
  return (
    <Confirm
      title={t(FALLBACK.triggerTitle)}
      yes={t(FALLBACK.triggerYes)}
      danger
      act={() => act('/runtime/fallback/trigger', trigger)}
      close={close}
    >
      <p>{t(FALLBACK.triggerEffect, { whom, ends })}</p>
      <Traffic />
    </Confirm>
  )
}

function AskReset({ close }: { readonly close: () => void }) {
  return (
    <Confirm
      title={t(FALLBACK.resetTitle)}
      yes={t(FALLBACK.resetYes)}
      danger
      act={() => act('/runtime/fallback/reset')}
      close={close}
    >
      <p>{t(FALLBACK.resetEffect)}</p>
      <Traffic />
    </Confirm>
  )
}

/** How many people feel it. */
function Traffic() {
  const last = samples.value.at(-1)
  if (last === undefined) return null
  return (
    <p class="quiet">
      {t(FALLBACK.traffic, { runtime: count(last.runtime.total), direct: count(last.direct.total) })}
    </p>
  )
}
