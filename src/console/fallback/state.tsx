import { useEffect, useState } from 'preact/hooks'
import type { FallbackData, FallbackStatus, TransitionView } from '../../protocol/fallback.js'
import type { FlagsView } from '../../protocol/flag-edit.js'
import { flagsChange, transitions } from '../api/live.js'
import { useResource } from '../api/resource.js'
import { Time } from '../parts/states.js'
import { CAUSE_NAMES, FALLBACK } from '../text/fallback.js'
import { duration, share } from '../text/format.js'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'

/** The steps of a recovery as they ship, while the guardrails are not known. */
const RAMP: readonly number[] = [5, 25, 100]
const RAMP_STEP_SECONDS = 30
/** How far back the beginning of a step is looked for: other entries may have come since. */
const ENTRIES = 10

interface Step {
  readonly name: string
  readonly here: boolean
  readonly kind: 'normal' | 'fallback' | 'recovering'
}

/** The automatic layer as a picture, then as facts. */
export function State({ status: { fallback, fallbackReason } }: { readonly status: FallbackStatus }) {
  const flags = useResource<FlagsView>('/runtime/flags', [flagsChange.value])
  const known = flags.state === 'ready' ? flags.answer.data : undefined
  const ramp = rampOf(known)
  return (
    <section class="card" aria-labelledby="state">
      <h2 id="state">{t(FALLBACK.state)}</h2>
      <ol class="steps">
        {stepsOf(fallback, ramp).map((step) => (
          <li key={step.name} class={step.kind} aria-current={step.here ? 'step' : undefined}>
            {step.name}
          </li>
        ))}
      </ol>
      {fallback.state === 'normal' ? (
        <p class="quiet">{t(FALLBACK.normalNote)}</p>
      ) : (
        <>
          <p>{fallbackReason}</p>
          {fallback.state === 'recovering' ? (
            <WaitingForStep percent={fallback.recoveringPercent ?? 0} stepMs={stepMsOf(known)} />
          ) : (
            <WaitingForShadows fallback={fallback} />
          )}
          <Facts fallback={fallback} />
        </>
      )}
    </section>
  )
}

function rampOf(flags: FlagsView | undefined): readonly number[] {
  const ramp = flags?.ops.values?.guardrails?.rampPercents
  return Array.isArray(ramp) && ramp.every((percent) => typeof percent === 'number') ? ramp : RAMP
}

function stepMsOf(flags: FlagsView | undefined): number {
  const seconds = flags?.ops.values?.guardrails?.rampStepSeconds
  return 1000 * (typeof seconds === 'number' ? seconds : RAMP_STEP_SECONDS)
}

/** A recovery that began with other steps shows its own beside them. */
function stepsOf({ state, recoveringPercent }: FallbackData, ramp: readonly number[]): readonly Step[] {
  const percents =
    recoveringPercent === null || ramp.includes(recoveringPercent)
      ? ramp
      : [...ramp, recoveringPercent].sort((a, b) => a - b)
  return [
    { name: t(FALLBACK.normal), here: state === 'normal', kind: 'normal' },
    { name: t(FALLBACK.fallback), here: state === 'fallback', kind: 'fallback' },
    ...percents.map(
      (percent): Step => ({
        name: t(FALLBACK.recovering, { percent }),
        here: state === 'recovering' && percent === recoveringPercent,
        kind: 'recovering',
      }),
    ),
  ]
}

/** ms until then by the reader's clock; 0 where it is over */
function useLeft(until: number): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return Math.max(0, until - now)
}

const inSeconds = (ms: number): string => duration(Math.ceil(ms / 1000) * 1000)

function WaitingForShadows({ fallback: { holdUntil } }: { readonly fallback: FallbackData }) {
  const left = useLeft(holdUntil === null ? 0 : Date.parse(holdUntil))
  return (
    <p role="timer">{left > 0 ? t(FALLBACK.holdLeft, { left: inSeconds(left) }) : t(FALLBACK.holdOver)}</p>
  )
}

/** A step ends after its time at the earliest. When it began, the transitions tell. */
function WaitingForStep({ percent, stepMs }: { readonly percent: number; readonly stepMs: number }) {
  const kept = useResource<TransitionView[]>(`/runtime/fallback/history?limit=${ENTRIES}`, [percent])
  const began = [...transitions.value, ...(kept.state === 'ready' ? kept.answer.data : [])]
    .filter(({ kind }) => kind === 'recovery_begun' || kind === 'ramp_step')
    .filter(({ recoveringPercent }) => recoveringPercent === percent)
    .map(({ at }) => Date.parse(at))
  const left = useLeft(Math.max(0, ...began) + stepMs)
  return (
    <p role="timer">
      {left > 0
        ? t(FALLBACK.rampLeft, { percent, left: inSeconds(left) })
        : t(FALLBACK.rampNext, { percent })}
    </p>
  )
}

function Facts({ fallback }: { readonly fallback: FallbackData }) {
  const { cause, value, threshold, since, trips, revision, persisted, propagated, propagationMs } = fallback
  return (
    <dl class="facts">
      {cause !== null && <Fact name={t(FALLBACK.cause)}>{t(CAUSE_NAMES[cause])}</Fact>}
      {cause !== null && value !== null && threshold !== null && cause !== 'health' && (
        <>
          <Fact name={t(FALLBACK.measured)}>{measured(cause, value)}</Fact>
          <Fact name={t(FALLBACK.threshold)}>{measured(cause, threshold)}</Fact>
        </>
      )}
      <Fact name={t(FALLBACK.scope)}>{scopeText(fallback)}</Fact>
      {since !== null && (
        <Fact name={t(FALLBACK.since)}>
          <Time at={since} />
        </Fact>
      )}
      <Fact name={t(FALLBACK.trips)}>{trips}</Fact>
      <Fact name={t(FALLBACK.revision)}>{revision}</Fact>
      <Fact name={t(FALLBACK.written)}>{t(persisted ? FALLBACK.yes : FALLBACK.no)}</Fact>
      <Fact name={t(FALLBACK.seen)}>
        {t(propagated ? FALLBACK.yes : FALLBACK.no)}
        {propagationMs !== null && `, ${t(FALLBACK.afterMs, { ms: duration(propagationMs) })}`}
      </Fact>
    </dl>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="figure">{children}</dd>
    </div>
  )
}

/** A rate as a share, a time in its unit. */
export function measured(cause: NonNullable<FallbackData['cause']>, value: number): string {
  return cause === 'latency' || cause === 'first_content' ? duration(value) : share(value)
}

export function scopeText({ scope, scopeIds }: Pick<FallbackData, 'scope' | 'scopeIds'>): string {
  if (scopeIds.length === 0) return t(PARTS.everybody)
  return t(scope === 'agents' ? FALLBACK.agents : FALLBACK.orgs, { ids: scopeIds.join(', ') })
}
