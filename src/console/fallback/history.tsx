import { useState } from 'preact/hooks'
import type { TransitionKind, TransitionView } from '../../protocol/fallback.js'
import { flagsChange, transitions } from '../api/live.js'
import { request } from '../api/request.js'
import { useResource } from '../api/resource.js'
import { Values } from '../parts/json.js'
import { Loaded, Time } from '../parts/states.js'
import { FALLBACK, TRANSITION_NAMES } from '../text/fallback.js'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'
import { measured, scopeText } from './state.js'

const PAGE = 30

const COLOURS: Readonly<Record<TransitionKind, 'bad' | 'good' | 'warn'>> = {
  trip: 'bad',
  relapse: 'bad',
  widened: 'bad',
  triggered: 'bad',
  recovery_begun: 'warn',
  ramp_step: 'warn',
  hand_edit: 'warn',
  hand_edit_refused: 'warn',
  adopted: 'warn',
  policy_off: 'warn',
  recovered: 'good',
  reset: 'good',
  manual_expired: 'good',
}

/** What follows the entry `from`; of no use once the newest page ends with another one. */
interface Older {
  readonly from: number | undefined
  readonly entries: readonly TransitionView[]
  readonly ended: boolean
}

/** What happened, newest first; read again when something happens. */
export function History() {
  // With the flags: a new connection tells only by them that something may have been missed.
  const newest = useResource<TransitionView[]>(`/runtime/fallback/history?limit=${PAGE}`, [
    transitions.value,
    flagsChange.value,
  ])
  const [older, setOlder] = useState<Older>({ from: undefined, entries: [], ended: false })
  return (
    <section class="card" aria-labelledby="history">
      <h2 id="history">{t(FALLBACK.history)}</h2>
      <Loaded resource={newest}>
        {(page) => {
          const from = page.at(-1)?.id
          const { entries, ended } = older.from === from ? older : { entries: [], ended: page.length < PAGE }
          const known = [...page, ...entries]
          const more = async (): Promise<void> => {
            const { data } = await request<TransitionView[]>(
              `/runtime/fallback/history?limit=${PAGE}&before=${known.at(-1)?.id}`,
            )
            setOlder({ from, entries: [...entries, ...data], ended: data.length < PAGE })
          }
          if (known.length === 0) return <p class="quiet">{t(FALLBACK.historyEmpty)}</p>
          return (
            <>
              <ol class="timeline">
                {known.map((entry) => (
                  <Entry key={entry.id} entry={entry} />
                ))}
              </ol>
              {!ended && (
                <button type="button" onClick={() => void more().catch(() => newest.refresh())}>
                  {t(PARTS.more)}
                </button>
              )}
            </>
          )
        }}
      </Loaded>
    </section>
  )
}

function Entry({ entry }: { readonly entry: TransitionView }) {
  const { at, kind, reason, cause, value, threshold, revision } = entry
  return (
    <li class={COLOURS[kind]}>
      <details>
        <summary>
          <Time at={at} /> <strong>{t(TRANSITION_NAMES[kind])}</strong> <span>{reason}</span>
        </summary>
        <p class="quiet">
          {by(entry)} · {t(FALLBACK.revision)} <span class="figure">{revision}</span>
        </p>
        <p>
          {t(FALLBACK.scopeOf, { scope: scopeText(entry) })}
          {cause !== null &&
            value !== null &&
            threshold !== null &&
            cause !== 'health' &&
            cause !== 'manual' && (
              <>
                {' · '}
                {t(FALLBACK.measuredOf, {
                  value: measured(cause, value),
                  threshold: measured(cause, threshold),
                })}
              </>
            )}
        </p>
        {entry.evidence !== null && <Values name={t(FALLBACK.evidence)} value={entry.evidence} />}
        {entry.guardrails !== null && <Values name={t(FALLBACK.guardrails)} value={entry.guardrails} />}
      </details>
    </li>
  )
}

function by({ actor, userId, replica }: TransitionView): string {
  if (actor === 'auto') return t(FALLBACK.byLoop, { replica })
  return t(FALLBACK.byPerson, { user: userId ?? t(FALLBACK.somebody), replica })
}
