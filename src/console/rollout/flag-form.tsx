import { useLayoutEffect, useState } from 'preact/hooks'
import type { FlagEdit, OpsValues } from '../../protocol/flag-edit.js'
import { t } from '../text/language.js'
import { LIMIT_NAMES } from '../text/limits.js'
import { ROLLOUT } from '../text/rollout.js'
import { Conflict } from './conflict.js'
import { type Environment, Fields } from './fields.js'
import { type EditOf, editOf, type FormValues, formOf } from './form-values.js'
import { limitFaultText } from './limit-fields.js'
import { Preview } from './preview.js'

type Phase =
  | { readonly kind: 'editing'; readonly message?: string }
  | { readonly kind: 'reviewing'; readonly edit: FlagEdit }
  | { readonly kind: 'conflict' }

/**
 * The fields of the flags. A change of the file by somebody else while nothing is edited here is taken over; otherwise the
 * reader's own edit stays, and a save that would hide the other one asks.
 */
export function FlagForm({
  values,
  environment,
  etag,
  refresh,
}: {
  readonly values: OpsValues
  /** what decides where the flags leave it open */
  readonly environment: Environment
  readonly etag: string
  readonly refresh: () => void
}) {
  const stored = formOf(values)
  const [base, setBase] = useState({ form: stored, etag })
  const [form, setForm] = useState(stored)
  const [phase, setPhase] = useState<Phase>({ kind: 'editing' })
  const edited = editOf(base.form, form)
  // Before anybody can type into what is drawn: an effect after the paint would drop the first input.
  useLayoutEffect(() => {
    if (edited.kind === 'none') start()
  }, [etag])

  const start = (from: FormValues = stored): void => {
    setBase({ form: stored, etag })
    setForm(from)
  }
  const set = (change: Partial<FormValues>): void => {
    setForm({ ...form, ...change })
    if (phase.kind === 'editing' && phase.message !== undefined) setPhase({ kind: 'editing' })
  }
  const review = (): void => setPhase(reviewOf(edited))
  return (
    <section class="card">
      {phase.kind === 'conflict' && base.etag !== etag && (
        <Conflict
          before={base.form}
          theirs={stored}
          mine={form}
          done={(kept) => {
            start(kept)
            setPhase({ kind: 'editing' })
          }}
        />
      )}
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault()
          review()
        }}
      >
        <Fields values={values} environment={environment} form={form} set={set} />
        {phase.kind === 'editing' && phase.message !== undefined && (
          <p class="notice" role="status" aria-live="polite">
            {phase.message}
          </p>
        )}
        <div class="actions">
          <button type="submit" class="primary">
            {t(ROLLOUT.review)}
          </button>
          <button type="button" disabled={edited.kind === 'none'} onClick={() => start()}>
            {t(ROLLOUT.revert)}
          </button>
        </div>
      </form>
      {phase.kind === 'reviewing' && (
        <Preview
          edit={phase.edit}
          etag={base.etag}
          saved={(answer) => {
            setBase({ form, etag: answer.etag })
            refresh()
            setPhase({
              kind: 'editing',
              message: answer.inForce ? t(ROLLOUT.saved) : t(ROLLOUT.savedNote, { note: answer.note }),
            })
          }}
          stale={() => {
            refresh()
            setPhase({ kind: 'conflict' })
          }}
          close={() => setPhase((now) => (now.kind === 'reviewing' ? { kind: 'editing' } : now))}
        />
      )}
    </section>
  )
}

function reviewOf(edited: EditOf): Phase {
  switch (edited.kind) {
    case 'none':
      return { kind: 'editing', message: t(ROLLOUT.nothing) }
    case 'fault':
      return { kind: 'editing', message: t(ROLLOUT.badJson, { name: edited.field }) }
    case 'limit':
      return { kind: 'editing', message: `${t(LIMIT_NAMES[edited.field])}: ${limitFaultText(edited.fault)}` }
    case 'edit':
      return { kind: 'reviewing', edit: edited.edit }
  }
}
