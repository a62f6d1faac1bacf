import type { RolloutEntry } from '../../protocol/rollout.js'
import { Time } from '../parts/states.js'
import { GUARDED, ROLLOUT_CHANGE_NAMES } from '../text/guarded.js'
import { t } from '../text/language.js'

/** What happened to earlier rollouts, newest first. */
export function Changes({ entries }: { readonly entries: readonly RolloutEntry[] }) {
  if (entries.length === 0) return <p class="quiet">{t(GUARDED.historyEmpty)}</p>
  return (
    <ol class="timeline">
      {entries.map(({ id, at, kind, fromPercent, toPercent, reason, userId }) => (
        <li
          key={id}
          class={kind === 'lowered' || kind === 'stopped' ? 'bad' : kind === 'raised' ? 'good' : ''}
        >
          <Time at={at} /> <strong>{t(ROLLOUT_CHANGE_NAMES[kind])}</strong> {fromPercent}% → {toPercent}%{' '}
          {reason}
          {userId !== null && ` (${userId})`}
        </li>
      ))}
    </ol>
  )
}
