import type { FallbackStatus } from '../../protocol/fallback.js'
import { t } from '../text/language.js'
import { OVERVIEW } from '../text/overview.js'

/** What needs a person, each with the section of the runbook that says what to do. */
export function Alerts({ status: { alerts, alertKinds } }: { readonly status: FallbackStatus }) {
  return (
    <section class="card">
      <h2>{t(OVERVIEW.alerts)}</h2>
      {alerts.length === 0 ? (
        <p class="quiet">{t(OVERVIEW.noAlerts)}</p>
      ) : (
        <div role="alert">
          <ul class="alerts">
            {alerts.map((alert, index) => (
              <li key={alert}>
                {alert}
                <p>
                  <Section name={alertKinds[index] ?? ''} />
                </p>
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  )
}

/** The service itself has the runbook. In a tab of its own: the overview goes on. */
function Section({ name }: { readonly name: string }) {
  return (
    <a href={`/console/runbook#${name}`} target="_blank" rel="noopener">
      {t(OVERVIEW.runbook, { section: name })}
    </a>
  )
}
