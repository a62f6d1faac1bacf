import { useEffect, useRef, useState } from 'preact/hooks'
import type { FlagsView } from '../../protocol/flag-edit.js'
import type { ReplayTransition, ReplayView } from '../../protocol/replay.js'
import { RequestError, request } from '../api/request.js'
import { useResource } from '../api/resource.js'
import { Fault } from '../parts/fault.js'
import { Loading, Time } from '../parts/states.js'
import { TRANSITION_NAMES } from '../text/fallback.js'
import { count, dateTime, duration, share } from '../text/format.js'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'
import { WHAT_IF } from '../text/what-if.js'

const HOUR_MS = 3_600_000
const SPANS = [1, 6, 12, 24] as const
/** what can be dragged, and where it starts where the file does not say */
const SLIDERS = [
  { name: 'errorRate', shipped: 0.5 },
  { name: 'timeoutRate', shipped: 0.3 },
  { name: 'latencyShare', shipped: 0.8 },
] as const
type SliderName = (typeof SLIDERS)[number]['name']
type Thresholds = Partial<Record<SliderName, number>>

type Run =
  | { readonly state: 'none'; readonly replay?: undefined }
  /** with what the last one found, so that the view does not jump while a threshold is dragged */
  | { readonly state: 'running'; readonly replay?: ReplayView }
  | { readonly state: 'done'; readonly replay: ReplayView }
  | { readonly state: 'failed'; readonly error: RequestError; readonly replay?: undefined }

/** When the fallback would have tripped with other thresholds: last night's evidence through the same machine. */
export function WhatIf() {
  const flags = useResource<FlagsView>('/runtime/flags')
  const [chosen, setChosen] = useState<Thresholds>({})
  const [hours, setHours] = useState<number>(12)
  const [run, setRun] = useState<Run>({ state: 'none' })
  const { ops, environment } = flags.state === 'ready' ? flags.answer.data : {}
  const inForce = ops?.values?.guardrails
  const shown = (name: SliderName, shipped: number): number => {
    const stored = inForce?.[name] ?? (name === 'errorRate' ? environment?.errorRate : undefined)
    return chosen[name] ?? (typeof stored === 'number' ? stored : shipped)
  }
  const asked = useRef<AbortController | undefined>(undefined)
  useEffect(() => () => asked.current?.abort(), [])
  const replay = (guardrails: Thresholds): void => {
    asked.current?.abort()
    const newest = new AbortController()
    asked.current = newest
    const { signal } = newest
    setRun((before) => ({ state: 'running', ...(before.replay && { replay: before.replay }) }))
    const body = { from: new Date(Date.now() - hours * HOUR_MS).toISOString(), guardrails }
    request<ReplayView>('/runtime/replay', { method: 'POST', body, signal }).then(
      ({ data }) => setRun({ state: 'done', replay: data }),
      (thrown: unknown) => {
        if (signal.aborted) return
        const error =
          thrown instanceof RequestError ? thrown : new RequestError(0, 'unreadable', String(thrown))
        setRun({ state: 'failed', error })
      },
    )
  }
  return (
    <section class="card" aria-labelledby="what-if">
      <h2 id="what-if">{t(WHAT_IF.title)}</h2>
      <p class="quiet">{t(WHAT_IF.lead)}</p>
      <form
        class="inline"
        onSubmit={(event) => {
          event.preventDefault()
          replay(chosen)
        }}
      >
        <label>
          {t(PARTS.span)}
          <select value={hours} onChange={({ currentTarget }) => setHours(Number(currentTarget.value))}>
            {SPANS.map((span) => (
              <option key={span} value={span}>
                {t(WHAT_IF.hours, { hours: span })}
              </option>
            ))}
          </select>
        </label>
        {SLIDERS.map(({ name, shipped }) => (
          <label key={name}>
            <span>
              {t(WHAT_IF[name])} <b class="figure">{share(shown(name, shipped))}</b>
            </span>
            <input
              type="range"
              name={name}
              min={0.05}
              max={1}
              step={0.05}
              value={shown(name, shipped)}
              onInput={({ currentTarget }) => setChosen({ ...chosen, [name]: Number(currentTarget.value) })}
              // When it is let go, or moved by a key; the first time the button starts it.
              onChange={({ currentTarget }) => {
                if (run.state !== 'none') replay({ ...chosen, [name]: Number(currentTarget.value) })
              }}
            />
          </label>
        ))}
        <button type="submit" class="primary">
          {t(WHAT_IF.run)}
        </button>
      </form>
      {run.state === 'running' && <Loading />}
      {run.state === 'failed' && <Fault error={run.error} />}
      {run.replay !== undefined && <Replayed replay={run.replay} />}
    </section>
  )
}

function Replayed({ replay }: { readonly replay: ReplayView }) {
  return (
    <div class="loaded" aria-live="polite">
      <p>
        {t(WHAT_IF.executions, { count: count(replay.evidence.executions) })}{' '}
        {replay.partial !== null && t(WHAT_IF.partial, { until: dateTime(replay.until) })}
      </p>
      <div class="pair">
        <Side name={t(WHAT_IF.happened)} side={replay.happened} />
        <Side name={t(WHAT_IF.replayed)} side={replay.replayed} />
      </div>
      <ul class="quiet">
        {replay.limits.map((limit) => (
          <li key={limit}>{limit}</li>
        ))}
      </ul>
    </div>
  )
}

function Side({ name, side }: { readonly name: string; readonly side: ReplayView['happened'] }) {
  return (
    <div>
      <h3>{name}</h3>
      <dl class="facts">
        <div>
          <dt>{t(WHAT_IF.trips)}</dt>
          <dd class="figure">{side.trips}</dd>
        </div>
        <div>
          <dt>{t(WHAT_IF.inFallback)}</dt>
          <dd class="figure">{duration(side.fallbackMs)}</dd>
        </div>
        <div>
          <dt>{t(WHAT_IF.inRecovery)}</dt>
          <dd class="figure">{duration(side.recoveringMs)}</dd>
        </div>
      </dl>
      {side.transitions.length === 0 ? (
        <p class="quiet">{t(WHAT_IF.none)}</p>
      ) : (
        <ol class="timeline">
          {side.transitions.map((entry) => (
            <Line key={`${entry.at}${entry.kind}`} entry={entry} />
          ))}
        </ol>
      )}
    </div>
  )
}

const Line = ({ entry: { at, kind, reason } }: { readonly entry: ReplayTransition }) => (
  <li>
    <Time at={at} /> <strong>{t(TRANSITION_NAMES[kind])}</strong> {reason}
  </li>
)
