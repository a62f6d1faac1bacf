import type { FallbackStatus } from '../../protocol/fallback.js'
import type { FlagsView } from '../../protocol/flag-edit.js'
import { Time } from '../parts/states.js'
import { clockTime } from '../text/format.js'
import { t } from '../text/language.js'
import { OVERVIEW } from '../text/overview.js'

/** The parts behind the service, and which replica told all this. */
export function Health({
  status,
  flags,
}: {
  readonly status: FallbackStatus
  readonly flags: FlagsView | undefined
}) {
  const { probe, lease, replica, policy } = status
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
        {flags !== undefined && (
          <div>
            <dt>{t(OVERVIEW.flags)}</dt>
            <dd>
              <span class={`badge ${flags.state === 'ready' ? 'good' : 'bad'}`}>{flags.state}</span>{' '}
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
          <dt>{t(OVERVIEW.policy)}</dt>
          <dd>{policy}</dd>
        </div>
        <div>
          <dt>{t(OVERVIEW.replica)}</dt>
          <dd>{replica}</dd>
        </div>
        <div>
          <dt>{t(OVERVIEW.leader)}</dt>
          <dd>{lease.holder ?? t(OVERVIEW.nobody)}</dd>
        </div>
      </dl>
    </section>
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
