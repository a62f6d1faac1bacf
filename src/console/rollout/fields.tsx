import type { FlagsView, OpsValues } from '../../protocol/flag-edit.js'
import { names } from '../text/format.js'
import { t } from '../text/language.js'
import { MODES, PARTS } from '../text/parts.js'
import { ROLLOUT } from '../text/rollout.js'
import type { FormValues } from './form-values.js'
import { LimitFields } from './limit-fields.js'

/** What decides where the flags leave it open. */
export type Environment = FlagsView['environment']

interface FieldsProps {
  readonly values: OpsValues
  readonly environment: Environment
  readonly form: FormValues
  readonly set: (change: Partial<FormValues>) => void
}

/** Each flag as a field of the form. */
export function Fields({ values: { mode, shadow }, environment, form, set }: FieldsProps) {
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
      <LimitFields limits={form.limits} set={(limits) => set({ limits })} />
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
