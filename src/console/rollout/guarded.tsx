import { useEffect, useState } from 'preact/hooks'
import type { RolloutEntry, RolloutRequest, RolloutView } from '../../protocol/rollout.js'
import { STAGE_VERDICT_NAMES } from '../../protocol/rollout-text.js'
import { flagsChange, rolloutChange } from '../api/live.js'
import { RequestError, request } from '../api/request.js'
import { useResource } from '../api/resource.js'
import { Confirm } from '../parts/confirm.js'
import { Fault } from '../parts/fault.js'
import { Loaded } from '../parts/states.js'
import { count, duration } from '../text/format.js'
import { GUARDED, ROLLOUT_STATE_NAMES, WAIT_NAMES } from '../text/guarded.js'
import { t } from '../text/language.js'
import { Changes } from './changes.js'
import { effectOf, StartForm } from './start-form.js'

/** ms between two looks while one runs */
const LOOK_MS = 2000

/** The rollout that the service makes by itself: its stages, where it is, and what people may do. */
export function Guarded() {
  const [round, setRound] = useState(0)
  const rollout = useResource<RolloutView>('/runtime/rollout', [
    round,
    rolloutChange.value,
    flagsChange.value,
  ])
  const history = useResource<RolloutEntry[]>('/runtime/rollout/history?limit=20', [
    rolloutChange.value,
    flagsChange.value,
  ])
  const isActive = rollout.state === 'ready' && rollout.answer.data.state === 'running'
  useEffect(() => {
    if (!isActive) return
    const timer = setInterval(() => setRound((before) => before + 1), LOOK_MS)
    return () => clearInterval(timer)
  }, [isActive])
  return (
    <section class="card" aria-labelledby="guarded">
      <h2 id="guarded">{t(GUARDED.title)}</h2>
      <p class="quiet">{t(GUARDED.lead)}</p>
      <Loaded resource={rollout}>
        {(view) => (
          <>
            <Now view={view} />
            <Actions view={view} done={rollout.refresh} />
          </>
        )}
      </Loaded>
      <details>
        <summary>{t(GUARDED.history)}</summary>
        <Loaded resource={history}>{(entries) => <Changes entries={entries} />}</Loaded>
      </details>
    </section>
  )
}

function Now({ view }: { readonly view: RolloutView }) {
  const { state, plan, percent, summary, next, verdict, evidence, waitsFor, secondsLeft } = view
  return (
    <>
      {plan !== null && (
        <ol class="steps">
          {[0, ...plan.stages].map((stage) => (
            <li key={stage} class="recovering" aria-current={stage === percent ? 'step' : undefined}>
              {stage}%
            </li>
          ))}
        </ol>
      )}
      <p>
        {state !== 'none' && (
          <span class={`badge ${state === 'running' ? 'warn' : state === 'finished' ? 'good' : ''}`}>
            {t(ROLLOUT_STATE_NAMES[state])}
          </span>
        )}{' '}
        {state === 'none' ? t(ROLLOUT_STATE_NAMES.none) : summary}
      </p>
      {next !== null && (
        <p>
          {t(GUARDED.finishedNext, { command: '' })} <code>{next}</code>
        </p>
      )}
      {state === 'running' && (
        <dl class="facts">
          <div>
            <dt>{t(GUARDED.verdict)}</dt>
            <dd>{verdict === null ? '–' : t(STAGE_VERDICT_NAMES[verdict])}</dd>
          </div>
          <div>
            <dt>{t(GUARDED.executions)}</dt>
            <dd class="figure">{count(evidence.total)}</dd>
          </div>
          <div>
            <dt>{t(GUARDED.errors)}</dt>
            <dd class="figure">{count(evidence.errors)}</dd>
          </div>
          {waitsFor !== null && (
            <div>
              <dt>{t(GUARDED.waits)}</dt>
              <dd>{t(WAIT_NAMES[waitsFor])}</dd>
            </div>
          )}
          {secondsLeft !== null && (
            <div>
              <dt>{t(GUARDED.left)}</dt>
              <dd class="figure">{duration(secondsLeft * 1000)}</dd>
            </div>
          )}
        </dl>
      )}
      {view.alerts.map((alert) => (
        <p class="notice bad" key={alert}>
          {alert}
        </p>
      ))}
    </>
  )
}

type Asked = RolloutRequest | 'abort' | undefined

function Actions({ view, done }: { readonly view: RolloutView; readonly done: () => void }) {
  const [asked, setAsked] = useState<Asked>(undefined)
  const { state, percent } = view
  const post = async (path: string, body: object = {}): Promise<void> => {
    await request<RolloutView>(`/runtime/rollout${path}`, { method: 'POST', body })
    done()
  }
  const [fault, setFault] = useState<RequestError | undefined>(undefined)
  const postAtOnce = (path: string): void =>
    void post(path).then(
      () => setFault(undefined),
      (thrown: unknown) => {
        if (thrown instanceof RequestError) setFault(thrown)
        done()
      },
    )
  return (
    <>
      <div class="actions">
        {state === 'running' && (
          <button type="button" onClick={() => postAtOnce('/pause')}>
            {t(GUARDED.pause)}
          </button>
        )}
        {state === 'paused' && (
          <button type="button" onClick={() => postAtOnce('/resume')}>
            {t(GUARDED.resume)}
          </button>
        )}
        {(state === 'running' || state === 'paused' || state === 'finished') && (
          <button type="button" class="danger" onClick={() => setAsked('abort')}>
            {t(GUARDED.abort)}
          </button>
        )}
      </div>
      {fault !== undefined && <Fault error={fault} />}
      {(state === 'none' || state === 'ended') && <StartForm ask={setAsked} />}
      {asked === 'abort' && (
        <Confirm
          title={t(GUARDED.abortTitle)}
          yes={t(GUARDED.abortYes)}
          danger
          act={() => post('/abort')}
          close={() => setAsked(undefined)}
        >
          <p>{t(GUARDED.abortEffect, { percent })}</p>
        </Confirm>
      )}
      {typeof asked === 'object' && (
        <Confirm
          title={t(GUARDED.startTitle)}
          yes={t(GUARDED.startYes)}
          act={() => post('', asked)}
          close={() => setAsked(undefined)}
        >
          <p>{effectOf(asked)}</p>
        </Confirm>
      )}
    </>
  )
}
