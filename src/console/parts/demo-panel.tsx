import { useState } from 'preact/hooks'
import { sendDemoTurn } from '../api/demo-turn.js'
import { useFailovers } from '../api/failovers.js'
import { pageConfig } from '../api/page-config.js'
import { RequestError, requestAt } from '../api/request.js'
import { DEMO } from '../text/demo.js'
import { count } from '../text/format.js'
import { t } from '../text/language.js'
import { Fault } from './fault.js'

const FAULTS = ['none', 'errors', 'hangs', 'unreachable', 'breaks_off'] as const
type FaultName = (typeof FAULTS)[number]

/** Asked for once by `?demo`; the addresses of the views need not carry it on. */
const isAsked = new URLSearchParams(location.search).has('demo')

/** Breaks the simulated runtime and mends it: in the demo alone, and only where the page was asked for with `?demo`. */
export function DemoPanel() {
  const [fault, setFault] = useState<FaultName>('none')
  const [error, setError] = useState<RequestError | undefined>(undefined)
  const isShown = isAsked && pageConfig.value.demo
  const failovers = useFailovers(isShown)
  if (!isShown) return null
  const choose = (chosen: FaultName): void => {
    requestAt<object>('/console/demo/fault', { method: 'PUT', body: { fault: chosen } }).then(
      () => {
        setFault(chosen)
        setError(undefined)
        // The probe may find a dead runtime before the traffic does: this turn meets the fault in any case.
        if (chosen !== 'none') void sendDemoTurn(t(DEMO.turn))
      },
      (thrown: unknown) => {
        if (thrown instanceof RequestError) setError(thrown)
      },
    )
  }
  return (
    <aside class="demo" aria-labelledby="demo-title">
      <h2 id="demo-title">{t(DEMO.title)}</h2>
      <div class="actions">
        {FAULTS.map((name) => (
          <button
            key={name}
            type="button"
            class={name === 'none' ? '' : 'danger'}
            aria-pressed={fault === name}
            onClick={() => choose(name)}
          >
            {t(DEMO[name])}
          </button>
        ))}
      </div>
      <p class="quiet">{t(DEMO.hint)}</p>
      <p class="failovers" aria-live="polite">
        {t(failovers === 0 ? DEMO.noFailover : DEMO.failovers, { count: count(failovers) })}
      </p>
      {error !== undefined && <Fault error={error} />}
    </aside>
  )
}
