import type { MetricsHistory } from '../../protocol/kept-metrics.js'
import type { Resource } from '../api/resource.js'
import { t } from '../text/language.js'
import { OVERVIEW } from '../text/overview.js'

/** Why the charts begin only now: the live ones go on without what was kept. */
export function KeptFault({ kept }: { readonly kept: Resource<MetricsHistory> }) {
  if (kept.state !== 'failed') return null
  return (
    <p class="notice" role="status">
      {t(OVERVIEW.keptMissing, { message: kept.error.message })}
    </p>
  )
}
