import { Scroll } from '../parts/scroll.js'
import { t } from '../text/language.js'
import { ROLLOUT } from '../text/rollout.js'
import { compare, type FormValues, onTop } from './form-values.js'

/** Somebody was faster: three columns, and nothing is lost. */
export function Conflict({
  before,
  theirs,
  mine,
  done,
}: {
  readonly before: FormValues
  readonly theirs: FormValues
  readonly mine: FormValues
  readonly done: (kept: FormValues) => void
}) {
  return (
    <div class="notice conflict" role="alert">
      <h2>{t(ROLLOUT.conflict)}</h2>
      <p>{t(ROLLOUT.conflictLead)}</p>
      <Scroll name={t(ROLLOUT.conflict)}>
        <table>
          <thead>
            <tr>
              {[ROLLOUT.field, ROLLOUT.before, ROLLOUT.theirs, ROLLOUT.mine].map((name) => (
                <th scope="col" key={name.en}>
                  {t(name)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {compare(before, theirs, mine).map((row) => (
              <tr key={row.field}>
                <th scope="row">
                  <code>{row.field}</code>
                </th>
                <td>{row.before || '–'}</td>
                <td class={row.theirs === row.before ? '' : 'changed'}>{row.theirs || '–'}</td>
                <td class={row.mine === row.before ? '' : 'changed'}>{row.mine || '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <div class="actions">
        <button type="button" class="primary" onClick={() => done(onTop(before, theirs, mine))}>
          {t(ROLLOUT.keepMine)}
        </button>
        <button type="button" onClick={() => done(theirs)}>
          {t(ROLLOUT.takeTheirs)}
        </button>
      </div>
    </div>
  )
}
