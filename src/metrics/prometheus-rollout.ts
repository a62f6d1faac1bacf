import { Gauge } from 'prom-client'
import { ROLLOUT_STATES, ROLLOUT_WAITS, STAGE_VERDICTS } from '../protocol/rollout.js'
import type { RolloutSnapshot } from '../rollout/rollout.js'
import type { MetricsRegistry } from './exposition.js'

export function registerRollout(registry: MetricsRegistry, rollout: () => RolloutSnapshot): void {
  const gauge = (name: string, help: string, value: (snapshot: RolloutSnapshot) => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value(rollout()))
      },
    })
  }
  /** One series a value, 1 for the present one. */
  const oneOf = (
    name: string,
    help: string,
    label: string,
    values: readonly string[],
    present: (snapshot: RolloutSnapshot) => string | null,
  ): void => {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        const now = present(rollout())
        for (const value of values) this.set({ [label]: value }, value === now ? 1 : 0)
      },
    })
  }
  oneOf(
    'chat_rollout_state',
    'State of the guarded rollout; 1 for the present one',
    'state',
    ROLLOUT_STATES,
    (snapshot) => snapshot.rollout.progress.state,
  )
  oneOf(
    'chat_rollout_waits',
    'Why a running rollout does not go on; 1 for the present reason, all 0 where it does',
    'reason',
    ROLLOUT_WAITS,
    ({ waitsFor }) => waitsFor,
  )
  oneOf(
    'chat_rollout_verdict',
    'What the executions of the present stage say on this replica; all 0 where nothing is judged',
    'verdict',
    STAGE_VERDICTS,
    ({ verdict }) => verdict?.kind ?? null,
  )
  gauge(
    'chat_rollout_percent',
    'Share of sessions that the rollout puts on the runtime',
    ({ percent }) => percent,
  )
  gauge(
    'chat_rollout_stage',
    'Present stage, counted from 1; 0 where there is none',
    ({ rollout: { progress } }) => ('stage' in progress ? progress.stage + 1 : 0),
  )
  gauge(
    'chat_rollout_executions',
    'Executions by which the present stage is judged on this replica',
    ({ evidence }) => evidence.total,
  )
  gauge(
    'chat_rollout_revision',
    "Revision of the rollout's flag this replica acts upon",
    ({ rollout }) => rollout.revision,
  )
  gauge('chat_rollout_persisted', '1 when the rollout as decided is in the flag store', ({ persisted }) =>
    Number(persisted),
  )
  gauge('chat_rollout_alerts', "Alerts of the rollout's status", ({ alerts }) => alerts.length)
}
