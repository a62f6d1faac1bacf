import { randomUUID } from 'node:crypto'
import { isDnsFaultCode, OWN_DNS } from '../core/local-fault.js'
import type { RedisLink } from '../core/redis/redis-link.js'
import type { KeptTexts } from '../core/sqlite/kept-texts.js'
import type { Flags } from '../decision/flags.js'
import type { Guardrails } from '../decision/guardrails.js'
import { createModelsRequest } from '../execution/llm/llm-models.js'
import { createKeptUsual } from '../fallback/evidence/kept-usual.js'
import type { Alert } from '../fallback/fallback.js'
import { createFallback } from '../fallback/fallback-loop.js'
import { createFleetEvidence, rolloutToo } from '../fallback/fleet/fleet-evidence.js'
import type { LoopGuardrails, RunningFallback } from '../fallback/loop/running-fallback.js'
import { createHealthProbe, type ProbeSettings } from '../fallback/probe/probe.js'
import { type HealthAnswer, healthUrl, requestHealth } from '../fallback/probe/probe-request.js'
import { createStandbyWatch } from '../fallback/probe/standby-watch.js'
import type { Journal } from '../journal/journal.js'
import type { OverloadWatch } from '../limits/overload.js'
import type { LocalFaults } from '../metrics/local-faults.js'
import type { JudgedWindow, PublicWindows } from '../metrics/windows/windows.js'
import type { Notifier } from '../notifications/notifier.js'
import type { SessionStore } from '../sessions/session-store.js'
import type { FlagStores } from '../store/open-flag-stores.js'
import type { Judged } from './judged.js'
import type { Surroundings } from './surroundings.js'

interface FallbackParts {
  readonly flags: Flags
  readonly flagStores: FlagStores
  readonly guardrails: Guardrails
  readonly judged: Judged
  readonly windows: PublicWindows
  readonly sessions: SessionStore
  readonly journal: Journal
  readonly kept: KeptTexts
  readonly notifier: Notifier | undefined
  readonly ownDns: () => Promise<boolean>
  readonly localFaults: LocalFaults
  readonly overload: OverloadWatch
  readonly redis: RedisLink | undefined
  /** of the guarded rollout: executions of other replicas join it */
  readonly rolledOut: JudgedWindow
}

export function openFallback(parts: FallbackParts, around: Surroundings): RunningFallback {
  const { config, clock, logger } = around
  const { flags, judged, windows, sessions, journal, notifier, ownDns, localFaults, redis } = parts
  const nonce = randomUUID()
  return createFallback({
    clock,
    logger,
    replica: config.replica,
    nonce,
    random: Math.random,
    codeDefaults: { guardrails: parts.guardrails, policy: 'auto' },
    flags,
    store: parts.flagStores.fallback(nonce),
    probe: ({ guardrails, onResult }) =>
      createHealthProbe({
        url: config.runtime.url,
        clock,
        logger,
        settings: () => probeSettings(guardrails()),
        request: (signal) => askHealth(config.runtime.url, ownDns, signal),
        onLocalFault: (code) => localFaults.note(code),
        onResult,
      }),
    standby: ({ onChange }) =>
      createStandbyWatch({
        requests: config.llm.map((endpoint) => createModelsRequest(endpoint, clock)),
        clock,
        logger,
        onChange,
      }),
    keptUsual: createKeptUsual(parts.kept, config.runtime.url, clock),
    judged,
    ...(redis === undefined
      ? {}
      : {
          fleet: rolloutToo(
            parts.rolledOut,
            createFleetEvidence({ link: redis, clock, replica: `${config.replica}#${nonce}` }),
          ),
        }),
    sift: (outcome, record) => localFaults.sift(outcome, record),
    otherAlerts: () => [
      ...otherAlerts(localFaults, sessions, parts.overload, redis),
      ...(around.alerts?.() ?? []),
    ],
    windows,
    journal,
    notify: (transition) => notifier?.notify(transition),
  })
}

/** A name that is not resolved says nothing of the runtime where the direct LLM's is not either. */
async function askHealth(
  url: string,
  ownDns: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<HealthAnswer> {
  const answer = await requestHealth(healthUrl(url), signal)
  if (answer.good || !isDnsFaultCode(answer.code)) return answer
  return (await ownDns()) ? { good: false, code: OWN_DNS } : answer
}

function otherAlerts(
  localFaults: LocalFaults,
  { isAvailable }: SessionStore,
  { level }: OverloadWatch,
  redis: RedisLink | undefined,
): Alert[] {
  const codes = localFaults.recent()
  return [
    ...(codes.length === 0 ? [] : [{ kind: 'local_trouble', codes } as const]),
    ...(isAvailable ? [] : [{ kind: 'store_unavailable' } as const]),
    ...(level === 3 || level === 4 ? [{ kind: 'overload', level } as const] : []),
    ...(redis === undefined || redis.isUp ? [] : [{ kind: 'redis_unreachable' } as const]),
  ]
}

const probeSettings = (guardrails: LoopGuardrails): ProbeSettings => ({
  intervalMs: guardrails.probeIntervalMs,
  timeoutMs: guardrails.probeTimeoutMs,
  failures: guardrails.probeFailures,
})
