import { useLocation } from 'preact-iso'
import type { Explanation } from '../../protocol/api.js'
import { flagsChange, transitions } from '../api/live.js'
import { useResource } from '../api/resource.js'
import { Loaded } from '../parts/states.js'
import { EXPLAIN } from '../text/explain.js'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'
import { Answer } from './answer.js'

const FIELDS = ['orgId', 'userId', 'agentId', 'sessionId'] as const
const NAMES = { ...PARTS, ...EXPLAIN }

/** Who would get what, and why. What is asked stands in the address, so that it can be sent to somebody. */
export function Explain() {
  const { query, route } = useLocation()
  const asked = new URLSearchParams(
    FIELDS.filter((field) => query[field]).map((field) => [field, query[field] ?? '']),
  )
  const explanation = useResource<Explanation>(`/runtime/explain?${asked}`, [
    flagsChange.value,
    transitions.value,
  ])
  return (
    <>
      <h1>{t(EXPLAIN.title)}</h1>
      <section class="card">
        <p class="quiet">{t(EXPLAIN.lead)}</p>
        <form
          class="inline"
          onSubmit={(event) => {
            event.preventDefault()
            const form = new FormData(event.currentTarget)
            const next = new URLSearchParams()
            for (const field of FIELDS) {
              const value = String(form.get(field) ?? '').trim()
              if (value !== '') next.set(field, value)
            }
            const text = next.toString()
            if (text === asked.toString()) explanation.refresh()
            else route(`/console/explain${text === '' ? '' : `?${text}`}`)
          }}
        >
          {FIELDS.map((field) => (
            <label key={field}>
              {t(NAMES[field])}
              <input name={field} defaultValue={query[field] ?? ''} autocomplete="off" spellcheck={false} />
            </label>
          ))}
          <button type="submit" class="primary">
            {t(EXPLAIN.ask)}
          </button>
        </form>
      </section>
      <Loaded resource={explanation}>{(data) => <Answer explanation={data} />}</Loaded>
    </>
  )
}
