import type { FlagEditEntry } from '../../protocol/flag-edit-record.js'
import { flagsChange } from '../api/live.js'
import { useResource } from '../api/resource.js'
import { Loaded, Time } from '../parts/states.js'
import { t } from '../text/language.js'
import { ROLLOUT } from '../text/rollout.js'

/** Who changed what, newest first. */
export function Edits() {
  const edits = useResource<FlagEditEntry[]>('/runtime/flags/history?limit=20', [flagsChange.value])
  return (
    <section class="card" aria-labelledby="edits">
      <h2 id="edits">{t(ROLLOUT.edits)}</h2>
      <Loaded resource={edits}>
        {(entries) =>
          entries.length === 0 ? (
            <p class="quiet">{t(ROLLOUT.noEdits)}</p>
          ) : (
            <ol class="timeline">
              {entries.map((entry) => (
                <li key={entry.id}>
                  <Time at={entry.at} /> <strong>{entry.userId}</strong>{' '}
                  {entry.changes.map(({ path, before, after, added, removed }) => (
                    <div key={path}>
                      <code>{path}</code>: {told((added ?? removed) ? undefined : before, '')}
                      {added?.map((item) => ` +${item}`)}
                      {removed?.map((item) => ` −${item}`)}
                      {told(after, ' → ')}
                    </div>
                  ))}
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
    </section>
  )
}

const told = (value: unknown, lead: string): string =>
  value === undefined ? '' : `${lead}${JSON.stringify(value)}`
