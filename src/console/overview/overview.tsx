import { useMemo } from 'preact/hooks'
import type { FlagsView } from '../../protocol/flag-edit.js'
import type { RolloutView } from '../../protocol/rollout.js'
import { flagsChange, rolloutChange, samples, status, transitions } from '../api/live.js'
import { usePulse } from '../api/pulse.js'
import { useResource } from '../api/resource.js'
import { Loading } from '../parts/states.js'
import { t } from '../text/language.js'
import { OVERVIEW } from '../text/overview.js'
import { SHELL } from '../text/shell.js'
import { Alerts } from './alerts.js'
import { Charts } from './charts.js'
import { Health } from './health.js'
import { KeptFault } from './kept-fault.js'
import { useLastHour, useMarks, WINDOW_SECONDS } from './last-hour.js'
import { Replicas } from './replicas.js'
import { RolloutLine } from './rollout-line.js'
import { nowSentence } from './sentence.js'

/** ms between two looks: no event tells what a stage of the rollout waits for */
const EVERY_MS = 5_000

/** What is true now, how both backends do, and what needs a person. */
export function Overview() {
  const flags = useResource<FlagsView>('/runtime/flags', [flagsChange.value])
  const rollout = useResource<RolloutView>('/runtime/rollout', [
    usePulse(EVERY_MS),
    rolloutChange.value,
    flagsChange.value,
  ])
  const share = rollout.state === 'ready' ? rollout.answer.data : undefined
  const now = status.value
  const view = flags.state === 'ready' ? flags.answer.data : undefined
  const guardrails = guardrailsOf(view)
  const windowSeconds = secondsOf(guardrails?.windowSeconds)
  const hour = useLastHour(samples.value, { windowSeconds })
  const marks = useMarks(transitions.value)
  const charts = useMemo(
    () => (
      <Charts samples={hour.samples} marks={marks} windowSeconds={windowSeconds} guardrails={guardrails}>
        <KeptFault kept={hour.kept} />
      </Charts>
    ),
    [hour.samples, hour.kept.state, marks, view],
  )
  if (now === undefined || flags.state === 'loading' || rollout.state === 'loading') return <Loading />
  return (
    <>
      <h1 class="hidden">{t(SHELL.overview)}</h1>
      <section class={`now ${now.fallbackEnabled ? 'bad' : 'good'}`} aria-live="polite">
        <p>{nowSentence(view, share, now)}</p>
        {now.fallbackReason !== '' && <p class="why">{now.fallbackReason}</p>}
        {now.wouldTrip !== '' && <p class="why">{t(OVERVIEW.wouldTrip, { reason: now.wouldTrip })}</p>}
        {share !== undefined && <RolloutLine rollout={share} />}
      </section>
      <Alerts status={now} />
      {charts}
      <Replicas status={now} />
      <Health status={now} flags={view} />
    </>
  )
}

const secondsOf = (value: unknown): number => (typeof value === 'number' ? value : WINDOW_SECONDS)

/** With the environment's say where the guardrails leave it open. */
function guardrailsOf(view: FlagsView | undefined): Readonly<Record<string, unknown>> | undefined {
  if (view === undefined || view.ops.values === null) return undefined
  const { guardrails } = view.ops.values
  const { environment } = view
  return {
    ...guardrails,
    errorRate: guardrails?.errorRate ?? environment.errorRate,
    totalMs: guardrails?.totalMs ?? environment.totalMs,
  }
}
