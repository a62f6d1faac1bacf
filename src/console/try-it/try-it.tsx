import { useEffect, useRef } from 'preact/hooks'
import { useResource } from '../api/resource.js'
import { Values } from '../parts/json.js'
import { Scroll } from '../parts/scroll.js'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'
import { SHELL } from '../text/shell.js'
import { TRY_IT } from '../text/try-it.js'
import { newSession, running, runTurn, sessionId, stopTurn, type Turn, turns } from './turns.js'

/** A chat beside what happens in it: for trying, for showing, and for finding what is wrong. */
export function TryIt() {
  const last = turns.value.at(-1)
  return (
    <>
      <h1>{t(SHELL.tryIt)}</h1>
      <p class="quiet">{t(TRY_IT.lead)}</p>
      <div class="try">
        <section class="card" aria-label={t(TRY_IT.message)}>
          <Said />
          <Ask />
        </section>
        <section class="card" aria-labelledby="trace">
          <h2 id="trace">{t(TRY_IT.trace)}</h2>
          {last === undefined ? <p class="quiet">{t(TRY_IT.traceEmpty)}</p> : <Trace turn={last} />}
        </section>
      </div>
    </>
  )
}

function Said() {
  const box = useRef<HTMLElement>(null)
  const last = turns.value.at(-1)
  useEffect(() => box.current?.scrollTo(0, box.current.scrollHeight), [last?.answer])
  if (turns.value.length === 0) return <p class="quiet">{t(TRY_IT.empty)}</p>
  return (
    <Scroll name={t(TRY_IT.said)} kind="scroll" box={box}>
      <ol class="said">
        {turns.value.map((turn, at) => (
          <li key={`${at}${turn.message}`}>
            <p class="mine">
              <span class="hidden">{t(TRY_IT.you)}: </span>
              {turn.message}
            </p>
            <p class="answer-text" aria-busy={turn.state === 'running'}>
              {turn.answer}
              {turn.state === 'running' && '▍'}
            </p>
          </li>
        ))}
      </ol>
    </Scroll>
  )
}

function Ask() {
  const isRunning = running.value !== undefined
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault()
        const form = new FormData(event.currentTarget)
        const message = String(form.get('message') ?? '').trim()
        if (message === '' || isRunning) return
        const input = event.currentTarget.elements.namedItem('message')
        if (input instanceof HTMLTextAreaElement) input.value = ''
        void runTurn(String(form.get('agent') ?? '').trim(), message)
      }}
    >
      <label>
        {t(PARTS.agentId)}
        <input name="agent" defaultValue="demo" required disabled={sessionId.value !== undefined} />
      </label>
      <label>
        {t(TRY_IT.message)}
        <textarea
          name="message"
          rows={2}
          required
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
            event.preventDefault()
            event.currentTarget.form?.requestSubmit()
          }}
        />
      </label>
      <div class="actions">
        <button type="submit" class="primary" disabled={isRunning}>
          {t(TRY_IT.send)}
        </button>
        <button type="button" disabled={!isRunning} onClick={() => void stopTurn()}>
          {t(TRY_IT.stop)}
        </button>
        <button type="button" class="plain" onClick={newSession}>
          {t(TRY_IT.fresh)}
        </button>
      </div>
    </form>
  )
}

function Trace({ turn }: { readonly turn: Turn }) {
  const { done } = turn
  return (
    <>
      <ol class="happened" aria-live="polite">
        {turn.happened.map(({ at, text, kind }, index) => (
          <li key={`${at}.${index}`} class={kind}>
            <span class="figure">+{at} ms</span> {text()}
          </li>
        ))}
      </ol>
      {done !== undefined && <Kept sessionId={done.sessionId} messageId={done.messageId} />}
    </>
  )
}

/** What the service kept of the turn: without its content. */
function Kept(turn: { readonly sessionId: string; readonly messageId: string }) {
  const { sessionId, messageId } = turn
  const trace = useResource<unknown>(`/chat/sessions/${sessionId}/turns/${messageId}/trace`)
  if (trace.state !== 'ready') return null
  return <Values name={t(TRY_IT.kept)} value={trace.answer.data} />
}
