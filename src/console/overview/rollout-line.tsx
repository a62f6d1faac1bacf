import type { RolloutView } from '../../protocol/rollout.js'
import { flagsChange, rolloutChange } from '../api/live.js'
import { usePulse } from '../api/pulse.js'
import { useResource } from '../api/resource.js'
import { t } from '../text/language.js'
import { OVERVIEW } from '../text/overview.js'

/** ms between two looks: no event tells what a stage waits for */
const EVERY_MS = 5_000

/** What a guarded rollout does now, in the service's own sentence; nothing where there is none. */
export function RolloutLine() {
  const rollout = useResource<RolloutView>('/runtime/rollout', [
    usePulse(EVERY_MS),
    rolloutChange.value,
    flagsChange.value,
  ])
  if (rollout.state !== 'ready') return null
  const { state, summary } = rollout.answer.data
  switch (state) {
    case 'none':
    case 'ended':
      return null
    case 'running':
    case 'paused':
    case 'finished':
      return (
        <p class="why rollout">
          <a href="/console/rollout">{t(OVERVIEW.rollout)}</a>: {summary}
        </p>
      )
  }
}
