import type { RolloutView } from '../../protocol/rollout.js'
import { t } from '../text/language.js'
import { OVERVIEW } from '../text/overview.js'

/** What a guarded rollout does now, in the service's own sentence; nothing where there is none. */
export function RolloutLine({ rollout: { state, summary } }: { readonly rollout: RolloutView }) {
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
