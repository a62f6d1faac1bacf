import type { EndpointsView, FallbackStatus } from '../../protocol/fallback.js'
import type { FlagsView } from '../../protocol/flag-edit.js'
import { usePulse } from '../api/pulse.js'
import { useResource } from '../api/resource.js'
import { Time } from '../parts/states.js'
import { clockTime, count } from '../text/format.js'
import { t } from '../text/language.js'
import { OVERVIEW } from '../text/overview.js'
import { PARTS } from '../text/parts.js'

/** The parts behind the service. */
export function Health({
  status,
  flags,
}: {
  readonly status: FallbackStatus
  readonly flags: FlagsView | undefined
}) {
  const { probe, policy } = status
  return (
    <section class="card">
      <h2>{t(OVERVIEW.health)}</h2>
      <dl class="facts">
        <div>
          <dt>{t(OVERVIEW.runtime)}</dt>
          <dd>
            <Probe probe={probe} />
          </dd>
        </div>
        <Endpoints />
        {flags !== undefined && (
          <div>
            <dt>{t(OVERVIEW.flags)}</dt>
            <dd>
              <span class={`badge ${flags.state === 'ready' ? 'good' : 'bad'}`}>
                {t(OVERVIEW[flags.state])}
              </span>{' '}
              {flags.resolver}
              {flags.faults.map((fault) => (
                <p class="notice bad" key={fault.where + fault.message}>
                  {fault.where}: {fault.message}
                </p>
              ))}
            </dd>
          </div>
        )}
        <div>
          <dt>{t(PARTS.policy)}</dt>
          <dd>{policy}</dd>
        </div>
      </dl>
    </section>
  )
}

/** ms between two looks at the endpoints: no event tells of them */
const EVERY_MS = 5_000

function Endpoints() {
  const read = useResource<EndpointsView>('/runtime/endpoints', [usePulse(EVERY_MS)])
  if (read.state !== 'ready') return null
  const { llm, waiting } = read.answer.data
  return (
    <div>
      <dt>{t(OVERVIEW.endpoints)}</dt>
      {llm.map(({ name, requests, resting }) => (
        <dd key={name}>
          <span class={`badge ${resting ? 'bad' : 'good'}`}>
            {t(resting ? OVERVIEW.resting : OVERVIEW.working)}
          </span>{' '}
          {name} <small class="figure">{t(OVERVIEW.requests, { requests: count(requests) })}</small>
        </dd>
      ))}
      {waiting > 0 && <dd>{t(OVERVIEW.waiting, { waiting: count(waiting) })}</dd>}
    </div>
  )
}

function Probe({ probe: { healthy, failures, at } }: Pick<FallbackStatus, 'probe'>) {
  if (healthy === null || at === null) return <span class="badge">{t(OVERVIEW.unprobed)}</span>
  return (
    <>
      <span class={`badge ${healthy ? 'good' : 'bad'}`}>
        {healthy ? t(OVERVIEW.healthy) : t(OVERVIEW.unhealthy, { failures })}
      </span>{' '}
      <small>
        {t(OVERVIEW.lastProbe)} <Time at={at} text={clockTime(at)} />
      </small>
    </>
  )
}
