import { count } from '../text/format.js'
import { t } from '../text/language.js'
import { LIMIT_NAMES, LIMITS } from '../text/limits.js'
import {
  LEAST_WEIGHT,
  LIMIT_FIELDS,
  type LimitFault,
  type LimitTexts,
  limitFault,
  MOST_WEIGHT,
} from './limit-values.js'

/** What users, organisations and all together may use, a field each; what is wrong with one stands below it. */
export function LimitFields({
  limits,
  set,
}: {
  readonly limits: LimitTexts
  readonly set: (limits: LimitTexts) => void
}) {
  return (
    <details class="fields">
      <summary>{t(LIMITS.title)}</summary>
      <p class="quiet">{t(LIMITS.hint)}</p>
      <div class="grid">
        {LIMIT_FIELDS.map(({ name, empty }) => (
          <label key={name}>
            <span>
              {t(LIMIT_NAMES[name])}{' '}
              <small>
                {empty === 'required'
                  ? t(LIMITS.unwatched)
                  : empty === null
                    ? t(LIMITS.noLimit)
                    : t(LIMITS.environment, { name: empty })}
              </small>
            </span>
            <input
              name={`limits.${name}`}
              inputMode="numeric"
              autocomplete="off"
              value={limits[name]}
              onInput={({ currentTarget }) => set({ ...limits, [name]: currentTarget.value })}
              {...faultProps(name, limits[name])}
            />
            <Fault name={name} text={limits[name]} />
          </label>
        ))}
      </div>
      <label>
        <span>
          {t(LIMIT_NAMES.weights)} <small>{t(LIMITS.weightsHint)}</small>
        </span>
        <textarea
          name="limits.weights"
          rows={Math.min(10, limits.weights.split('\n').length + 1)}
          spellcheck={false}
          value={limits.weights}
          onInput={({ currentTarget }) => set({ ...limits, weights: currentTarget.value })}
          {...faultProps('weights', limits.weights)}
        />
        <Fault name="weights" text={limits.weights} />
      </label>
    </details>
  )
}

const faultId = (name: string): string => `fault-of-${name}`

const faultProps = (name: keyof LimitTexts, text: string) =>
  limitFault(name, text) === undefined ? {} : { 'aria-invalid': true, 'aria-describedby': faultId(name) }

function Fault({ name, text }: { readonly name: keyof LimitTexts; readonly text: string }) {
  const fault = limitFault(name, text)
  return fault === undefined ? null : (
    <small class="wrong" id={faultId(name)} role="status">
      {limitFaultText(fault)}
    </small>
  )
}

export function limitFaultText(fault: LimitFault): string {
  switch (fault.kind) {
    case 'whole':
      return t(LIMITS.whole, { least: count(fault.least), most: count(fault.most) })
    case 'line':
      return t(LIMITS.badLine, { line: fault.line.trim() })
    case 'twice':
      return t(LIMITS.twice, { line: fault.line.trim() })
    case 'weight':
      return t(LIMITS.badWeight, { line: fault.line.trim(), least: LEAST_WEIGHT, most: count(MOST_WEIGHT) })
  }
}
