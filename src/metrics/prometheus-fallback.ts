import { Gauge } from 'prom-client'
import type { FallbackSnapshot } from '../fallback/fallback.js'
import { FALLBACK_STATES, MANUAL_SCOPES } from '../protocol/fallback.js'
import { FALLBACK_SCOPES, scopeName } from '../protocol/fallback-scope.js'
import type { MetricsRegistry } from './exposition.js'

export function registerFallback(registry: MetricsRegistry, fallback: () => FallbackSnapshot): void {
  registerStates(registry, fallback)
  for (const { name, help, value } of FALLBACK_GAUGES)
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value(fallback()))
      },
    })
}

/** One series a state, 1 for the present one. */
function registerStates(registry: MetricsRegistry, fallback: () => FallbackSnapshot): void {
  new Gauge({
    name: 'chat_fallback_state',
    help: 'State of the automatic layer; 1 for the present one',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const present = fallback().override.auto.state
      for (const state of FALLBACK_STATES) this.set({ state }, state === present ? 1 : 0)
    },
  })
  new Gauge({
    name: 'chat_fallback_scope',
    help: 'Whom the automatic fallback is for; 1 for the present scope, all 0 in normal',
    labelNames: ['scope'],
    registers: [registry],
    collect() {
      const { auto } = fallback().override
      const present = auto.state === 'normal' ? undefined : scopeName(auto.scope)
      for (const scope of FALLBACK_SCOPES) this.set({ scope }, scope === present ? 1 : 0)
    },
  })
  new Gauge({
    name: 'chat_fallback_manual',
    help: 'Scope of the manual layer; 1 for the present one',
    labelNames: ['scope'],
    registers: [registry],
    collect() {
      const present = fallback().override.manual.scope
      for (const scope of MANUAL_SCOPES) this.set({ scope }, scope === present ? 1 : 0)
    },
  })
}

const isEnabled = ({ override }: FallbackSnapshot): number =>
  Number(override.auto.state !== 'normal' || override.manual.scope !== 'none')

interface FallbackGauge {
  readonly name: string
  readonly help: string
  value(snapshot: FallbackSnapshot): number
}

const FALLBACK_GAUGES: readonly FallbackGauge[] = [
  {
    name: 'chat_fallback_enabled',
    help: '1 while the automatic layer is not normal or a manual one is set',
    value: isEnabled,
  },
  {
    name: 'chat_runtime_fallback_enabled',
    help: "The same under the name of the operators' runbook",
    value: isEnabled,
  },
  {
    name: 'chat_fallback_trips',
    help: 'Trips that lengthen the hold',
    value: ({ override }) => override.trips,
  },
  {
    name: 'chat_fallback_recovering_percent',
    help: 'Share of sessions back on the runtime while recovering; 0 in fallback, 100 in normal',
    value: ({ override: { auto } }) =>
      auto.state === 'recovering' ? auto.percent : auto.state === 'normal' ? 100 : 0,
  },
  {
    name: 'chat_fallback_scope_size',
    help: 'Orgs or agents of a scoped automatic fallback; 0 where it is for everybody or there is none',
    value: ({ override: { auto } }) => (auto.state === 'normal' ? 0 : (auto.scope?.ids.length ?? 0)),
  },
  {
    name: 'chat_fallback_isolated',
    help: '1 while this replica alone stays with the direct LLM',
    value: ({ isolated }) => Number(isolated),
  },
  { name: 'chat_fallback_alerts', help: 'Alerts of the status', value: ({ alerts }) => alerts.length },
  {
    name: 'chat_standby_sick',
    help: '1 while the direct LLM is in breach or cannot be used',
    value: ({ alerts }) => (alerts.some(({ kind }) => kind === 'standby_sick') ? 1 : 0),
  },
  {
    name: 'chat_recovery_waits',
    help: '1 while one step of the recovery lasts longer than 15 min',
    value: ({ alerts }) => (alerts.some(({ kind }) => kind === 'recovery_waits') ? 1 : 0),
  },
  {
    name: 'chat_override_revision',
    help: 'Revision of the override this replica acts upon',
    value: ({ override }) => override.revision,
  },
  {
    name: 'chat_override_persisted',
    help: '1 when the override as decided is in the flag store',
    value: ({ persisted }) => Number(persisted),
  },
  {
    name: 'chat_override_propagated',
    help: '1 when it was seen again through OpenFeature',
    value: ({ propagated }) => Number(propagated),
  },
  {
    name: 'chat_override_propagation_seconds',
    help: 'From the latest decision of this replica to its sight through OpenFeature; NaN while unknown',
    value: ({ propagationMs }) => (propagationMs === undefined ? Number.NaN : propagationMs / 1000),
  },
  {
    name: 'chat_runtime_healthy',
    help: "1 or 0 by the runtime's health probe; NaN before the first",
    value: ({ probe }) => (probe.healthy === undefined ? Number.NaN : Number(probe.healthy)),
  },
]
