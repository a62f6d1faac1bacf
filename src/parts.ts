import { randomUUID } from 'node:crypto'
import { packageVersion } from './core/files/package-version.js'
import { openTracing } from './core/tracing/open-tracing.js'
import { defaultGuardrails } from './decision/code-defaults.js'
import { createFlags } from './decision/open-feature-flags.js'
import { ownDnsCheck } from './execution/upstream/own-dns.js'
import { openIdempotencyKeys } from './idempotency/open-keys.js'
import { openUsage } from './limits/open-usage.js'
import { watchOverload } from './limits/overload.js'
import { createSharedRates } from './limits/shared-rates.js'
import { createLocalFaults } from './metrics/local-faults.js'
import { watchLoopLag } from './metrics/loop-lag.js'
import { createJudgedWindow } from './metrics/windows/judged-window.js'
import { createPublicWindows } from './metrics/windows/public-windows.js'
import { openBackends, openSharedLlm, type RuntimeSigns } from './parts/backends.js'
import { openFallback } from './parts/fallback.js'
import { openFlagSource, startFlagSeeding } from './parts/flags.js'
import { openJudged } from './parts/judged.js'
import { openMetrics } from './parts/metrics.js'
import { openNotifier } from './parts/notifications.js'
import { openRollout } from './parts/rollout.js'
import { openRecoveryShadows, openShadows } from './parts/shadows.js'
import { openDatabase, openJournal, openKept, openRedisLink, openSessions } from './parts/storage.js'
import { ids, type Surroundings } from './parts/surroundings.js'
import type { FlagEditRecord } from './protocol/flag-edit-record.js'
import { type ReplayRequest, replay } from './replay/replay.js'
import { openReplicas } from './replicas/open-replicas.js'
import { createPresence } from './replicas/presence.js'
import { startSweep } from './sessions/retention/sweep.js'
import { createFenceGate } from './shadow/run/fence-gate.js'
import { openFlagStores } from './store/open-flag-stores.js'

/** Names alone: values are in the journal. */
const loggedEdit = ({ userId, changes, toContent }: FlagEditRecord): object => ({
  userId,
  paths: changes.map(({ path }) => path),
  content: toContent,
})

/** Everything below the request edge; nothing runs yet. Rejects when the database cannot be opened, or a package that is configured cannot be loaded. */
export async function createParts(around: Surroundings) {
  const { config, clock, pulse, logger } = around
  const { retentionDays: days } = config
  const tracing = openTracing(config.tracing, { clock, logger, replica: config.replica })
  const guardrails = defaultGuardrails(config.codeDefaults)
  const database = await openDatabase(around)
  const sessions = openSessions(around, database)
  const redis = await openRedisLink(around)
  const journal = openJournal(around, database)
  const kept = openKept(database, { clock, logger })
  const idempotency = openIdempotencyKeys(database, { clock, logger, nonce: randomUUID() })
  const replicas = createPresence({
    clock,
    logger,
    table: openReplicas(database, clock),
    name: config.replica,
    version: packageVersion(),
  })
  const notifier = openNotifier(journal, around)
  const flagStores = await openFlagStores(config.flags, clock, randomUUID())
  const flags = createFlags(config.flags, config.codeDefaults, {
    clock,
    logger,
    kept,
    documents: flagStores.documents,
    llmEndpoints: config.llm.map(({ name }) => name),
  })
  const overload = watchOverload({
    pulse,
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
  const judged = openJudged(clock)
  const rolledOut = createJudgedWindow(clock)
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
      rolledOut,
    },
    around,
  )
  const rollout = openRollout(
    { flags, flagStores, fallback, journal, notifier, localFaults, rolledOut },
    around,
  )
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
  const llm = openSharedLlm(around)
  const backends = openBackends(around, llm, { ...signs, onConnectionTrouble: () => fallback.trouble() })
  // Connections of their own: a shadow takes none of a user's, and trouble on them wakes no probe.
  const shadowBackends = openBackends(around, llm, signs)
  const recoveryShadows = openRecoveryShadows({ backends, fallback, fence, journal, overload }, around)
  const shadows = openShadows(
    { backends: shadowBackends, judged, fallback, fence, journal, overload },
    around,
  )
  const loopLag = watchLoopLag(pulse)
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
      loopLag,
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
    loopLag,
    usage: openUsage(database, randomUUID(), { clock, logger }),
    redis,
    replicas,
    ...(redis === undefined ? {} : { rates: createSharedRates({ link: redis, clock }) }),
    flags,
    opsFile,
    flagStores,
    flagSource: await openFlagSource(flagStores, around),
    /** gives the operators' document its first content once it is started */
    startSeeding: () => startFlagSeeding(flagStores, around),
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
