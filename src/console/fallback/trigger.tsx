import type { FallbackStatus, TriggerRequest } from '../../protocol/fallback.js'
import { samples } from '../api/live.js'
import { request } from '../api/request.js'
import { Confirm } from '../parts/confirm.js'
import { FALLBACK } from '../text/fallback.js'
import { count, duration, names } from '../text/format.js'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'

/** s after which a manual fallback ends by itself; 0: never */
const TTLS = [900, 3600, 4 * 3600, 24 * 3600, 0]

/** @param orgId the one that the reader may choose; absent: any, and everybody */
export function TriggerForm({
  ask,
  orgId,
}: {
  readonly ask: (trigger: TriggerRequest) => void
  readonly orgId?: string
}) {
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault()
        const trigger = triggerOf(new FormData(event.currentTarget))
        ask(orgId === undefined ? trigger : { ...trigger, orgIds: [orgId] })
      }}
    >
      <h3>{t(FALLBACK.trigger)}</h3>
      {orgId === undefined && (
        <label>
          {t(FALLBACK.triggerOrgs)}
          <textarea name="orgs" rows={2} spellcheck={false} />
        </label>
      )}
      <label>
        {t(FALLBACK.triggerTtl)}
        <select name="ttl">
          {ttlsOf(orgId).map((seconds) => (
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

/** Who cannot reset it gives it an end. */
const ttlsOf = (orgId: string | undefined): readonly number[] =>
  orgId === undefined ? TTLS : TTLS.filter((seconds) => seconds > 0)

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

/** Says what will happen, and does it. */
export function AskTrigger({
  trigger,
  done,
  close,
}: {
  readonly trigger: TriggerRequest
  readonly done: (now: FallbackStatus) => void
  readonly close: () => void
}) {
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
      act={async () => {
        const path = '/runtime/fallback/trigger'
        done((await request<FallbackStatus>(path, { method: 'POST', body: trigger })).data)
      }}
      close={close}
    >
      <p>{t(FALLBACK.triggerEffect, { whom, ends })}</p>
      <Traffic />
    </Confirm>
  )
}

/** How many people feel it. */
export function Traffic() {
  const last = samples.value.at(-1)
  if (last === undefined) return null
  return (
    <p class="quiet">
      {t(FALLBACK.traffic, { runtime: count(last.runtime.total), direct: count(last.direct.total) })}
    </p>
  )
}
