import type { FallbackStatus, ReplicaView } from '../../protocol/fallback.js'
import { judgeReplicas, type ReplicaSilence } from '../../protocol/instant.js'
import { Scroll } from '../parts/scroll.js'
import { Time } from '../parts/states.js'
import { clockTime, count } from '../text/format.js'
import { t } from '../text/language.js'
import { OVERVIEW } from '../text/overview.js'

/** Who shares the database: which of them told all this, leads the recovery, made the last change, or is silent. */
export function Replicas({ status }: { readonly status: FallbackStatus }) {
  const replicas = judgeReplicas(status.replicas)
  const gone = replicas.filter(({ isGone }) => isGone)
  return (
    <section class="card replicas" aria-labelledby="replicas">
      <h2 id="replicas">{t(OVERVIEW.replicas)}</h2>
      <Table rows={replicas.filter(({ isGone }) => !isGone)} status={status} />
      {gone.length > 0 && (
        <details>
          <summary>{t(OVERVIEW.earlier, { many: count(gone.length) })}</summary>
          <Table rows={gone} status={status} />
        </details>
      )}
      <p class="quiet">{t(OVERVIEW.replicasHint)}</p>
    </section>
  )
}

type JudgedReplica = ReplicaView & ReplicaSilence

function Table({
  rows,
  status,
}: {
  readonly rows: readonly JudgedReplica[]
  readonly status: FallbackStatus
}) {
  return (
    <Scroll name={t(OVERVIEW.replicas)}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t(OVERVIEW.replica)}</th>
            <th scope="col">{t(OVERVIEW.replicaState)}</th>
            <th scope="col">{t(OVERVIEW.version)}</th>
            <th scope="col">{t(OVERVIEW.firstSeen)}</th>
            <th scope="col">{t(OVERVIEW.lastSeen)}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((replica) => (
            <tr key={replica.name}>
              <th scope="row">
                {replica.name} <small>{partsOf(replica.name, status)}</small>
              </th>
              <td>
                <State replica={replica} />
              </td>
              <td class="figure">{replica.version}</td>
              <td>
                <Time at={replica.firstSeen} />
              </td>
              <td>
                <Time at={replica.lastSeen} text={clockTime(replica.lastSeen)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

function State({ replica: { state, isSilent } }: { readonly replica: JudgedReplica }) {
  if (isSilent) return <span class="badge bad">{t(OVERVIEW.silent)}</span>
  const look = state === 'ready' ? 'good' : state === 'stopped' ? '' : 'warn'
  return <span class={`badge ${look}`}>{t(OVERVIEW[state])}</span>
}

function partsOf(name: string, { replica, lease, fallback }: FallbackStatus): string {
  return [
    name === replica && OVERVIEW.thisOne,
    // The holder of the lease is a replica and its start.
    name === lease.holder?.replace(/#.*$/, '') && OVERVIEW.leads,
    name === fallback.replica && OVERVIEW.wrote,
  ]
    .filter((part) => part !== false)
    .map((part) => t(part))
    .join(' · ')
}
