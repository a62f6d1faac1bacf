import { useMemo } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import type { ShadowReport } from '../../protocol/shadow-report.js'
import { useResource } from '../api/resource.js'
import { Loaded } from '../parts/states.js'
import { t } from '../text/language.js'
import { MODES, PARTS } from '../text/parts.js'
import { SHADOW } from '../text/shadow.js'
import { SHELL } from '../text/shell.js'
import { Report } from './report.js'

const DAY_MS = 86_400_000
const SPANS = { '1': SHADOW.day, '7': SHADOW.week, '30': SHADOW.month } as const
const FIELDS = ['orgId', 'agentId'] as const

/** The comparison of both backends. What is asked stands in the address. */
export function Shadow() {
  const { query, route } = useLocation()
  const days = query.days !== undefined && query.days in SPANS ? query.days : '7'
  // Asked once for each choice, not anew with each moment that passes.
  const path = useMemo(() => {
    const asked = new URLSearchParams({ from: new Date(Date.now() - Number(days) * DAY_MS).toISOString() })
    for (const field of [...FIELDS, 'control']) if (query[field]) asked.set(field, query[field] ?? '')
    return `/runtime/shadow/report?${asked}`
  }, [days, query.orgId, query.agentId, query.control])
  const report = useResource<ShadowReport>(path)
  return (
    <>
      <h1>{t(SHELL.shadow)}</h1>
      <section class="card">
        <p class="quiet">{t(SHADOW.lead)}</p>
        <form
          class="inline"
          onSubmit={(event) => {
            event.preventDefault()
            const next = new URLSearchParams()
            for (const [name, value] of new FormData(event.currentTarget)) {
              const text = String(value).trim()
              if (text !== '') next.set(name, text)
            }
            if (query.sort) next.set('sort', query.sort)
            if (`/console/shadow?${next}` === location.pathname + location.search) report.refresh()
            else route(`/console/shadow?${next}`)
          }}
        >
          <label>
            {t(PARTS.span)}
            <select name="days" defaultValue={days}>
              {Object.entries(SPANS).map(([value, name]) => (
                <option key={value} value={value} selected={value === days}>
                  {t(name)}
                </option>
              ))}
            </select>
          </label>
          <label>
            {t(SHADOW.control)}
            <select name="control">
              <option value="">–</option>
              {Object.entries(MODES).map(([value, name]) => (
                <option key={value} value={value} selected={value === query.control}>
                  {t(name)}
                </option>
              ))}
            </select>
          </label>
          {FIELDS.map((field) => (
            <label key={field}>
              {t(PARTS[field])}
              <input name={field} defaultValue={query[field] ?? ''} spellcheck={false} />
            </label>
          ))}
          <button type="submit" class="primary">
            {t(SHADOW.show)}
          </button>
        </form>
      </section>
      <Loaded resource={report}>{(data) => <Report report={data} />}</Loaded>
    </>
  )
}
