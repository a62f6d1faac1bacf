import { useEffect, useState } from 'preact/hooks'
import type { FlagEdit, FlagsView, OpsValues } from '../../protocol/flag-edit.js'
import { names } from '../text/format.js'
import { t } from '../text/language.js'
import { MODES, PARTS } from '../text/parts.js'
import { ROLLOUT } from '../text/rollout.js'
import { Conflict } from './conflict.js'
import { type EditOf, editOf, type FormValues, formOf } from './form-values.js'
import { Preview } from './preview.js'

type Environment = FlagsView['environment']

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
  useEffect(() => {
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
    case 'edit':
      return { kind: 'reviewing', edit: edited.edit }
  }
}

interface FieldsProps {
  readonly values: OpsValues
  readonly environment: Environment
  readonly form: FormValues
  readonly set: (change: Partial<FormValues>) => void
}

function Fields({ values: { mode, shadow }, environment, form, set }: FieldsProps) {
  const handMade = mode.enabledOrgs === null || mode.canaryPercent === null
  return (
    <>
      <label>
        {t(ROLLOUT.mode)}
        <select
          name="mode"
          value={form.mode}
          onChange={({ currentTarget }) => set({ mode: currentTarget.value })}
        >
          <option value="">{t(ROLLOUT.modeEnvironment, { mode: t(MODES[environment.mode]) })}</option>
          <option value="direct_llm">{t(MODES.direct_llm)}</option>
          <option value="runtime_orchestrator">{t(MODES.runtime_orchestrator)}</option>
        </select>
      </label>
      {handMade ? (
        <p class="notice">{t(ROLLOUT.handMade)}</p>
      ) : (
        <>
          <label>
            {t(ROLLOUT.orgs)}{' '}
            {form.mode === '' && environment.enabledOrgs.length > 0 && (
              <small>{t(ROLLOUT.orgsEnvironment, { orgs: names(environment.enabledOrgs, 20) })}</small>
            )}
            <textarea
              name="orgs"
              rows={Math.min(10, form.orgs.split('\n').length + 1)}
              spellcheck={false}
              value={form.orgs}
              onInput={({ currentTarget }) => set({ orgs: currentTarget.value })}
            />
          </label>
          <Percent
            name="canary"
            label={t(ROLLOUT.canary)}
            value={form.canary}
            set={(canary) => set({ canary })}
            required
          />
        </>
      )}
      {shadow.handMade ? (
        <p class="notice">{t(ROLLOUT.handMade)}</p>
      ) : (
        <Percent
          name="shadow"
          label={t(ROLLOUT.shadow)}
          value={form.shadow}
          set={(value) => set({ shadow: value })}
          hint={t(ROLLOUT.shadowEnvironment, { percent: environment.shadowPercent })}
        />
      )}
      <label>
        {t(PARTS.policy)}
        <select
          name="policy"
          value={form.policy}
          onChange={({ currentTarget }) => set({ policy: currentTarget.value })}
        >
          {form.policy === '' && <option value="">–</option>}
          {(['auto', 'observe', 'off'] as const).map((policy) => (
            <option key={policy} value={policy}>
              {t(ROLLOUT[policy])}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t(ROLLOUT.route)} <small>{t(ROLLOUT.routeAll)}</small>
        <textarea
          name="route"
          rows={2}
          spellcheck={false}
          value={form.route}
          onInput={({ currentTarget }) => set({ route: currentTarget.value })}
        />
      </label>
      <details class="fields">
        <summary>{t(ROLLOUT.guardrails)}</summary>
        <p class="quiet">{t(ROLLOUT.guardrailsHint)}</p>
        <div class="grid">
          {Object.entries(form.guardrails).map(([name, text]) => (
            <label key={name}>
              {name}
              <input
                name={`guardrails.${name}`}
                spellcheck={false}
                value={text}
                onInput={({ currentTarget }) =>
                  set({ guardrails: { ...form.guardrails, [name]: currentTarget.value } })
                }
              />
            </label>
          ))}
        </div>
      </details>
    </>
  )
}

function Percent({
  name,
  label,
  value,
  set,
  hint,
  required = false,
}: {
  readonly name: string
  readonly label: string
  readonly value: string
  readonly set: (value: string) => void
  readonly hint?: string
  readonly required?: boolean
}) {
  return (
    <label>
      {label} {hint !== undefined && <small>{hint}</small>}
      <input
        name={name}
        type="number"
        min={0}
        max={100}
        step={1}
        required={required}
        value={value}
        onInput={({ currentTarget }) => set(currentTarget.value)}
      />
    </label>
  )
}
