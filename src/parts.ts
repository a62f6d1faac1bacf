import { randomUUID } from 'node:crypto'
import type { Config } from './config.js'
import type { Clock } from './core/clock.js'
import { packageVersion } from './core/files/package-version.js'
import { guarded } from './core/guarded.js'
import { isDnsFaultCode, OWN_DNS } from './core/local-fault.js'
import type { Logger } from './core/logger.js'
import { openPostgres, type Postgres } from './core/postgres/postgres.js'
import { openPostgresKeptTexts } from './core/postgres/postgres-kept-texts.js'
import { isPostgresUrl } from './core/postgres/postgres-url.js'
import { nodeRedis } from './core/redis/node-redis.js'
import { openRedis } from './core/redis/open-redis.js'
import type { RedisLink } from './core/redis/redis-link.js'
import { type KeptTexts, openKeptTexts } from './core/sqlite/kept-texts.js'
import { openTracing } from './core/tracing/open-tracing.js'
import { checkFlagDocument } from './decision/check/ops-file-check.js'
import { defaultGuardrails } from './decision/code-defaults.js'
import type { Flags } from './decision/flags.js'
import type { Guardrails } from './decision/guardrails.js'
import { createFlags } from './decision/open-feature-flags.js'
import { createModelsRequest } from './execution/llm/llm-models.js'
import { modelOf } from './execution/llm/llm-request.js'
import { endLlmSpan, startLlmSpan } from './execution/llm/llm-spans.js'
import { openDirectLlm } from './execution/llm/open-direct-llm.js'
import { type BackendDeps, createRuntimeOrchestrator } from './execution/runtime/runtime-orchestrator.js'
import { ownDnsCheck } from './execution/upstream/own-dns.js'
import { createKeptUsual } from './fallback/evidence/kept-usual.js'
import type { Alert, FallbackSnapshot } from './fallback/fallback.js'
import { createFallback, type LoopGuardrails, type RunningFallback } from './fallback/fallback-loop.js'
import { createFleetEvidence } from './fallback/fleet/fleet-evidence.js'
import { createHealthProbe, type ProbeSettings } from './fallback/probe/probe.js'
import { type HealthAnswer, healthUrl, requestHealth } from './fallback/probe/probe-request.js'
import { createStandbyWatch } from './fallback/probe/standby-watch.js'
import { createFlagSource, type FlagSource } from './flag-source/flag-source.js'
import { openIdempotencyKeys } from './idempotency/open-keys.js'
import type { Journal } from './journal/journal.js'
import { createMemoryJournal } from './journal/memory/memory-journal.js'
import { openPostgresJournal } from './journal/postgres/postgres-journal.js'
import { retentionFor, retentionForFleet, retentionInMemory } from './journal/retention.js'
import { openSqliteJournal } from './journal/sqlite/sqlite-journal.js'
import { openUsage } from './limits/open-usage.js'
import { type OverloadWatch, watchOverload } from './limits/overload.js'
import { createSharedRates } from './limits/shared-rates.js'
import type { LlmGate } from './llm/gate/gate.js'
import { openGate } from './llm/gate/open-gate.js'
import { RefusedParameters } from './llm/refused-parameters.js'
import { RequestCounts } from './llm/request-counts.js'
import { activeTrace } from './metrics/active-trace.js'
import { createLocalFaults, type LocalFaults } from './metrics/local-faults.js'
import { createServiceMetrics, type ServiceMetrics } from './metrics/prometheus.js'
import { createJudgedLog } from './metrics/windows/judged-log.js'
import { createJudgedWindow } from './metrics/windows/judged-window.js'
import { createPublicWindows } from './metrics/windows/public-windows.js'
import type { JudgedLog, JudgedWindow, PublicWindows, Tally } from './metrics/windows/windows.js'
import { createNotifier, type Notifier } from './notifications/notifier.js'
import type { FlagEditRecord } from './protocol/flag-edit-record.js'
import { type ReplayRequest, replay } from './replay/replay.js'
import { openReplicas } from './replicas/open-replicas.js'
import { createPresence } from './replicas/presence.js'
import { createRollout, type RunningRollout } from './rollout/rollout-loop.js'
import { createMemorySessionStore } from './sessions/memory-session-store.js'
import { openPostgresSessionStore } from './sessions/postgres/postgres-session-store.js'
import { createResilientSessionStore } from './sessions/resilient-session-store.js'
import { startSweep } from './sessions/retention/sweep.js'
import type { SessionStore } from './sessions/session-store.js'
import { openSqliteSessionStore } from './sessions/sqlite-session-store.js'
import { createFenceGate, type FenceGate } from './shadow/run/fence-gate.js'
import { createRecoveryShadows, type RecoveryShadows } from './shadow/run/recovery-shadows.js'
import { createShadowing } from './shadow/run/shadowing.js'
import { type FlagStores, openFlagStores } from './store/open-flag-stores.js'
import { startSeeding } from './store/shared/seed-ops.js'

/** What every part is made from. */
export interface Surroundings {
  readonly config: Config
  readonly logger: Logger
  readonly clock: Clock
  /** the same with coarse timers, for whatever waits for a backend */
  readonly deadlines: Clock
  /** what the edge has to tell an operator of */
  alerts?(): readonly Alert[]
  /** absent: none */
  openStreams?(): number
}

/** Everything below the request edge; nothing runs yet. */
export type Parts = ReturnType<typeof createParts>

const ids = { newId: (): string => randomUUID() }

const isGoodOpsFile = (text: string): boolean =>
  checkFlagDocument(text, 'ops').every(({ severity }) => severity !== 'error')

/** Names alone: values are in the journal. */
const loggedEdit = ({ userId, changes, toContent }: FlagEditRecord): object => ({
  userId,
  paths: changes.map(({ path }) => path),
  content: toContent,
})

/** @throws when the database cannot be opened */
export function createParts(around: Surroundings) {
  const { config, clock, logger } = around
  const tracing = openTracing(config.tracing, { clock, logger, replica: config.replica })
  const guardrails = defaultGuardrails(config.codeDefaults)
  const database = openDatabase(around)
  const sessions = openSessions(around, database)
  const { retentionDays: days } = config
  const redis = openRedisLink(around)
  const journal = openJournal(around, database)
  const kept =
    typeof database === 'string'
      ? openKeptTexts(database, { clock, logger })
      : openPostgresKeptTexts(database, { clock, logger })
  const idempotency = openIdempotencyKeys(database, { clock, logger, nonce: randomUUID() })
  const replicas = createPresence({
    clock,
    logger,
    table: openReplicas(database, clock),
    name: config.replica,
    version: packageVersion(),
  })
  const notifier = openNotifier(journal, around)
  const flagStores = openFlagStores(config.flags, clock, randomUUID())
  const flags = createFlags(config.flags, config.codeDefaults, {
    clock,
    logger,
    kept,
    documents: flagStores.documents,
    llmEndpoints: config.llm.map(({ name }) => name),
  })
  const overload = watchOverload({
    clock,
    logger,
    environment: config,
    limits: () => flags.limitsFor(''),
    open: () => around.openStreams?.() ?? 0,
  })
  const flagsEdited = (edit: FlagEditRecord): void => {
    journal.keepFlagEdit(edit)
    notifier?.notify(edit)
    logger.info(loggedEdit(edit), '[Flags] edited by the API')
  }
  const opsFile = flagStores.ops
  const windows = createPublicWindows(clock, { windowSeconds: guardrails.windowSeconds })
  const judged = {
    runtime: createJudgedWindow(clock),
    direct: createJudgedWindow(clock),
    log: createJudgedLog(clock),
  }
  const ownDns = ownDnsCheck(config.llm[0].baseUrl, clock)
  const localFaults = createLocalFaults({ clock, dnsIsOurs: ownDns })
  const fallback = openFallback(
    {
      flags,
      flagStores,
      guardrails,
      judged,
      windows,
      sessions,
      journal,
      kept,
      notifier,
      ownDns,
      localFaults,
      overload,
      redis,
    },
    around,
  )
  const rollout = openRollout({ flags, flagStores, fallback, journal, notifier, localFaults }, around)
  const fence = config.shadow.requireFence
    ? createFenceGate({ runtime: () => shadowBackends.runtime_orchestrator, clock, logger, ids })
    : undefined
  let droppedFiles = 0
  const signs: RuntimeSigns = {
    onRequestSent: () => fallback.requestSent(),
    onHead: () => fallback.headCame(),
    ...(fence === undefined ? {} : { onShadowHead: (kept) => fence.sawHead(kept) }),
    onFileDropped: () => {
      droppedFiles += 1
    },
  }
  const llm = {
    gate: openGate(config.llm, around),
    refused: new RefusedParameters(),
    requests: new RequestCounts(config.llm),
  }
  const backends = openBackends(around, llm, { ...signs, onConnectionTrouble: () => fallback.trouble() })
  // Connections of their own: a shadow takes none of a user's, and trouble on them wakes no probe.
  const shadowBackends = openBackends(around, llm, signs)
  const recoveryShadows = openRecoveryShadows({ backends, fallback, fence, journal, overload }, around)
  const shadows = openShadows(
    { backends: shadowBackends, judged, fallback, fence, journal, overload },
    around,
  )
  const metrics = openMetrics(
    {
      sessions,
      localFaults,
      flags,
      fallback,
      rollout,
      shadows,
      windows,
      journal,
      notifier,
      recoveryShadows,
      overload,
      llm,
      droppedFiles: () => droppedFiles,
      redis,
    },
    around,
  )
  return {
    tracing,
    sessions,
    /** Makes or checks the tables of a server; see Postgres.check. */
    checkDatabase: async () => (typeof database === 'string' ? undefined : database.check()),
    /** erases old conversations once it is started */
    startSweep: () => (days === 0 ? undefined : startSweep({ clock, logger, days, sessions })),
    journal,
    notifier,
    kept,
    idempotency,
    overload,
    usage: openUsage(database, randomUUID(), { clock, logger }),
    redis,
    replicas,
    ...(redis === undefined ? {} : { rates: createSharedRates({ link: redis, clock }) }),
    flags,
    opsFile,
    flagStores,
    flagSource: openFlagSource(flagStores, around),
    /** gives the operators' document its first content once it is started */
    startSeeding: () =>
      flagStores.ops === flagStores.opsFile
        ? undefined
        : startSeeding({
            from: flagStores.opsFile,
            to: flagStores.ops,
            isGood: isGoodOpsFile,
            clock,
            logger,
          }),
    flagsEdited,
    windows,
    localFaults,
    fallback,
    rollout,
    backends,
    admission: backends.direct_llm,
    shadowBackends,
    recoveryShadows,
    shadows,
    replay: (request: ReplayRequest) => replay(request, { journal, clock }),
    llmState: () => ({
      llm: llm.gate.state().map(({ endpoint: name, requests, resting }) => ({ name, requests, resting })),
      waiting: llm.gate.waiting,
    }),
    metrics,
    ids,
  }
}

/** The path of the SQLite file, `:memory:`, or the PostgreSQL server. */
const openDatabase = ({ config, clock }: Surroundings): string | Postgres =>
  isPostgresUrl(config.database)
    ? openPostgres(config.database, { clock, limits: config.databaseLimits })
    : config.database

function openSessions({ config, clock, logger }: Surroundings, database: string | Postgres): SessionStore {
  const { historyBudget } = config
  const options = { clock, replica: config.replica, historyBudget }
  if (database === ':memory:') return createMemorySessionStore(options)
  const kept =
    typeof database === 'string'
      ? openSqliteSessionStore(database, { ...options, logger })
      : openPostgresSessionStore(database, { ...options, logger })
  return createResilientSessionStore(kept, { clock, logger, historyBudget })
}

function openRedisLink({ config, clock, logger }: Surroundings): RedisLink | undefined {
  const { redis: address } = config
  if (address === undefined) return undefined
  return openRedis({ clock, logger, prefix: address.prefix, connect: () => nodeRedis(address) })
}

function openJournal({ config, clock, logger }: Surroundings, database: string | Postgres): Journal {
  const { contentDays } = config.shadow
  const self = { replica: config.replica, nonce: randomUUID() }
  if (typeof database !== 'string')
    return openPostgresJournal(database, { clock, logger, retention: retentionForFleet(contentDays), self })
  return database === ':memory:'
    ? createMemoryJournal({ clock, retention: retentionInMemory(contentDays) })
    : openSqliteJournal(database, { clock, logger, retention: retentionFor(contentDays), self })
}

function openNotifier(
  { notifications }: Journal,
  { config, clock, logger }: Surroundings,
): Notifier | undefined {
  const { notify, replica } = config
  return notify === undefined
    ? undefined
    : createNotifier({ ...notify, clock, logger, replica, kept: notifications })
}

type Backends = ReturnType<typeof openBackends>

type RuntimeSigns = Omit<BackendDeps, 'clock' | 'logger'>

/** What users and shadows share: limits and rests hold for both together, and what one learns spares the other a request. */
interface SharedLlm {
  readonly gate: LlmGate
  readonly refused: RefusedParameters
  readonly requests: RequestCounts
}

function openBackends(
  { config, deadlines: clock, logger }: Surroundings,
  llm: SharedLlm,
  signs: RuntimeSigns,
) {
  return {
    direct_llm: openDirectLlm(config.llm, {
      clock,
      logger,
      random: Math.random,
      gate: llm.gate,
      refused: llm.refused,
      onRequest(name, turn, { span: within, watch }) {
        const endpoint = config.llm.find((one) => one.name === name)
        const span =
          within &&
          endpoint &&
          guarded(logger, 'traces', () => startLlmSpan(endpoint, modelOf(turn, endpoint), within))
        const told = watch?.request(name)
        return {
          ...(span === undefined ? {} : { span }),
          end(cause) {
            llm.requests.add(name, cause)
            guarded(logger, 'traces', () => {
              told?.(cause)
              if (span !== undefined) endLlmSpan(span, cause)
            })
          },
        }
      },
      onRefused: () => {
        llm.requests.refused += 1
      },
    }),
    runtime_orchestrator: createRuntimeOrchestrator(config.runtime, { clock, logger, ...signs }),
  }
}

interface Judged {
  readonly runtime: JudgedWindow
  readonly direct: JudgedWindow
  readonly log: JudgedLog
}

/** One of several workers alone can listen there. */
function openFlagSource(
  { documents }: FlagStores,
  { config, clock, logger }: Surroundings,
): FlagSource | undefined {
  const { sourcePort: port, opsFile, overrideFile } = config.flags
  if (port === undefined || (config.worker ?? 1) !== 1) return undefined
  return createFlagSource({ host: config.host, port, opsFile, overrideFile, documents, clock, logger })
}

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
}

function openFallback(parts: FallbackParts, around: Surroundings): RunningFallback {
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
      : { fleet: createFleetEvidence({ link: redis, clock, replica: `${config.replica}#${nonce}` }) }),
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

interface RolloutParts {
  readonly flags: Flags
  readonly flagStores: FlagStores
  readonly fallback: RunningFallback
  readonly journal: Journal
  readonly notifier: Notifier | undefined
  readonly localFaults: LocalFaults
}

function openRollout(
  { flags, flagStores, fallback, journal, notifier, localFaults }: RolloutParts,
  { config, clock, logger }: Surroundings,
): RunningRollout {
  const nonce = randomUUID()
  return createRollout({
    clock,
    logger,
    replica: config.replica,
    nonce,
    random: Math.random,
    flags,
    store: flagStores.rollout(nonce),
    fallback,
    judged: createJudgedWindow(clock),
    sift: (outcome, record) => localFaults.sift(outcome, record),
    keep: (change) => journal.keepRolloutChange(change),
    notify: (change) => notifier?.notify(change),
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
    ...(level < 3 ? [] : [{ kind: 'overload', level: level === 4 ? 4 : 3 } as const]),
    ...(redis === undefined || redis.isUp ? [] : [{ kind: 'redis_unreachable' } as const]),
  ]
}

const probeSettings = (guardrails: LoopGuardrails): ProbeSettings => ({
  intervalMs: guardrails.probeIntervalMs,
  timeoutMs: guardrails.probeTimeoutMs,
  failures: guardrails.probeFailures,
})

interface RecoveryParts {
  readonly backends: Backends
  readonly fallback: RunningFallback
  readonly fence: FenceGate | undefined
  readonly journal: Journal
  readonly overload: OverloadWatch
}

function openRecoveryShadows(
  { backends, fallback, fence, journal, overload }: RecoveryParts,
  { deadlines: clock, logger }: Surroundings,
): RecoveryShadows {
  return createRecoveryShadows({
    runtime: backends.runtime_orchestrator,
    clock,
    logger,
    ids,
    random: Math.random,
    settings: () => ({ percent: fallback.guardrails.recoveryShadowPercent }),
    allowed: (subject) => overload.level < 2 && fallback.maySpareShadow(subject),
    record: (outcome) => {
      fallback.recordShadow(outcome)
      const { result, localFault } = outcome
      if (result === 'aborted' || localFault !== undefined) return
      const { mode, orgId, agentId, sessionId, latencyMs, firstContentMs } = outcome
      journal.keepExecution({
        at: clock.wall(),
        mode,
        orgId,
        agentId,
        ...(sessionId === undefined ? {} : { sessionId }),
        result,
        shadow: true,
        latencyMs,
        ...(firstContentMs === undefined ? {} : { firstContentMs }),
      })
    },
    ...(fence === undefined ? {} : { fence }),
  })
}

interface ShadowParts {
  readonly backends: Backends
  readonly judged: Judged
  readonly fallback: RunningFallback
  readonly fence: FenceGate | undefined
  readonly journal: Journal
  readonly overload: OverloadWatch
}

function openShadows(parts: ShadowParts, { config, clock, deadlines, logger }: Surroundings) {
  const { backends, judged, fallback, fence, journal, overload } = parts
  return createShadowing({
    backends,
    clock,
    deadlines,
    logger,
    ids,
    replica: config.replica,
    settings: () => config.shadow,
    maxConcurrent: config.shadow.maxConcurrent,
    isOverloaded: () => overload.level > 0,
    ...(fence === undefined ? {} : { fence }),
    keep: (comparison) => journal.keepComparison(comparison),
    keepDrop: (drop) => journal.keepDrop(drop),
    control: {
      fallbackNormal: () => isNormal(fallback.snapshot()),
      tallies: (mode) =>
        recentTallies(judged[mode === 'direct_llm' ? 'direct' : 'runtime'], fallback.guardrails),
      guardrails: () => fallback.guardrails,
    },
  })
}

const isNormal = ({ override, isolated }: FallbackSnapshot): boolean =>
  override.auto.state === 'normal' && !isolated

/** The newest executions of users, and all of the window. */
function recentTallies(window: JudgedWindow, guardrails: LoopGuardrails): readonly Tally[] {
  const windowMs = guardrails.windowSeconds * 1000
  const fastMs = guardrails.fastWindowSeconds * 1000
  return [window.newest(fastMs, guardrails.minSamples, windowMs), window.tally(windowMs)]
}

interface Counted {
  readonly sessions: SessionStore
  readonly localFaults: LocalFaults
  readonly flags: Flags
  readonly fallback: RunningFallback
  readonly rollout: RunningRollout
  readonly shadows: ReturnType<typeof openShadows>
  readonly windows: PublicWindows
  readonly journal: Journal
  readonly notifier: Notifier | undefined
  readonly recoveryShadows: RecoveryShadows
  readonly overload: OverloadWatch
  readonly llm: SharedLlm
  readonly droppedFiles: () => number
  readonly redis: RedisLink | undefined
}

function openMetrics(parts: Counted, { config }: Surroundings): ServiceMetrics {
  const {
    sessions,
    localFaults,
    flags,
    fallback,
    shadows,
    windows,
    journal,
    notifier,
    recoveryShadows,
    redis,
  } = parts
  const metrics = createServiceMetrics({
    replica: config.replica,
    ...(config.worker === undefined ? {} : { worker: config.worker }),
    exemplar: activeTrace,
    flagsStatus: () => flags.status(),
    codeDefaults: () => flags.codeDefaults(),
    fallback: () => fallback.snapshot(),
    rollout: () => parts.rollout.snapshot(),
    shadows: () => shadows.counts(),
    storeAvailable: () => sessions.isAvailable,
    overloadLevel: () => parts.overload.level,
    ...(redis === undefined ? {} : { redisUp: () => redis.isUp }),
    llm: () => ({
      requests: parts.llm.requests.list(),
      endpoints: parts.llm.gate.state(),
      waiting: parts.llm.gate.waiting,
      refused: parts.llm.requests.refused,
    }),
    counts: () => ({
      chat_window_orgs_dropped_total: windows.droppedOrgs,
      chat_turns_lost_total: sessions.lost,
      chat_local_faults_total: localFaults.count,
      chat_redis_failures_total: redis?.failures ?? 0,
      chat_runtime_files_dropped_total: parts.droppedFiles(),
      chat_journal_dropped_total: journal.dropped,
      chat_notifications_dropped_total: notifier === undefined ? 0 : notifier.dropped + notifier.givenUp,
      chat_recovery_shadows_total: recoveryShadows.counts().started,
      chat_recovery_shadows_dropped_total: recoveryShadows.counts().dropped,
    }),
  })
  fallback.subscribe((event) => {
    if (event.kind === 'transition') metrics.recordTransition(event.transition)
  })
  parts.rollout.subscribe((event) => {
    if (event.kind === 'change') metrics.recordRolloutChange(event.change.kind)
  })
  return metrics
}
