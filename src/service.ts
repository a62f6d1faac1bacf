import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createApp } from './app.js'
import type { Config } from './config.js'
import { type Clock, systemClock } from './core/clock.js'
import { errorCode, errorText } from './core/errors.js'
import type { Logger } from './core/logger.js'
import { defaultGuardrails } from './decision/code-defaults.js'
import { createFlags } from './decision/open-feature-flags.js'
import { createDirectLlm } from './execution/direct-llm.js'
import { createRuntimeOrchestrator } from './execution/runtime-orchestrator.js'
import type { FallbackSnapshot } from './fallback/fallback.js'
import { createFallback, type LoopGuardrails } from './fallback/fallback-loop.js'
import { createHealthProbe, type ProbeSettings } from './fallback/probe.js'
import type { Lifecycle } from './http/app-deps.js'
import { answerClientError } from './http/client-error.js'
import { createTurnRegistry } from './http/turns.js'
import type { Journal } from './journal/journal.js'
import { createMemoryJournal } from './journal/memory-journal.js'
import { retentionFor, retentionInMemory } from './journal/retention.js'
import { openSqliteJournal } from './journal/sqlite-journal.js'
import { createJudgedWindow } from './metrics/judged-window.js'
import { createServiceMetrics } from './metrics/prometheus.js'
import { createPublicWindows } from './metrics/public-windows.js'
import type { JudgedWindow, Tally } from './metrics/windows.js'
import { createNotifier, type Notifier } from './notifications/notifier.js'
import { createMemorySessionStore } from './sessions/memory-session-store.js'
import type { SessionStore } from './sessions/session-store.js'
import { openSqliteSessionStore } from './sessions/sqlite-session-store.js'
import { createRecoveryShadows } from './shadow/recovery-shadows.js'
import { createShadowing } from './shadow/shadowing.js'
import { createFileFlagStore } from './store/file-flag-store.js'

/** A running service; `stop` drains as the protocol says and may be called at any time, also more than once. */
export interface Service {
  /** @throws when the port is taken or the conversations cannot be opened */
  start(): Promise<{ readonly url: string }>
  stop(): Promise<void>
}

/** ms an idle connection is kept: longer than a load balancer's usual 60 s, so that the balancer closes first */
const KEEP_ALIVE_MS = 65_000
/** ms left to a connection that is still open after the drain */
const LAST_WRITES_MS = 500

/** The composition root: builds every part, starts and stops them in order. */
export function createService(config: Config, logger: Logger, clock: Clock = systemClock): Service {
  let state: ReturnType<Lifecycle['state']> = 'starting'
  let stopping: Promise<void> | undefined

  const sessions = openSessions(config, logger, clock)
  const flags = createFlags(config.flags, config.codeDefaults, { clock, logger })
  const journal = openJournal(config, logger, clock)
  const notifier = openNotifier(config, logger, clock)
  const codeDefaults = defaultGuardrails(config.codeDefaults)
  const windows = createPublicWindows(clock, { windowSeconds: codeDefaults.windowSeconds })
  const metrics = createServiceMetrics({
    replica: config.replica,
    flagsStatus: () => flags.status(),
    fallback: () => fallback.snapshot(),
    shadows: () => shadows.counts(),
    counts: () => ({
      chat_window_orgs_dropped_total: windows.droppedOrgs,
      chat_journal_dropped_total: journal.dropped,
      chat_notifications_dropped_total: notifier === undefined ? 0 : notifier.dropped + notifier.givenUp,
      chat_recovery_shadows_total: recoveryShadows.counts().started,
      chat_recovery_shadows_dropped_total: recoveryShadows.counts().dropped,
    }),
  })
  const directLlm = createDirectLlm(config.llm, { clock })
  const runtime = createRuntimeOrchestrator(config.runtime, {
    clock,
    logger,
    onConnectionTrouble: () => fallback.trouble(),
  })
  // Connections of their own: a shadow takes none of a user's, and trouble on them wakes no probe.
  const shadowBackends = {
    direct_llm: createDirectLlm(config.llm, { clock }),
    runtime_orchestrator: createRuntimeOrchestrator(config.runtime, { clock, logger }),
  }
  const judged = { runtime: createJudgedWindow(clock), direct: createJudgedWindow(clock) }
  const nonce = randomUUID()
  const fallback = createFallback({
    clock,
    logger,
    replica: config.replica,
    nonce,
    random: Math.random,
    codeDefaults: { guardrails: codeDefaults, policy: 'auto' },
    flags,
    store: createFileFlagStore(config.flags.overrideFile, { clock, nonce }),
    probe: (wiring) =>
      createHealthProbe({
        url: config.runtime.url,
        clock,
        logger,
        settings: () => probeSettings(wiring.guardrails()),
        onResult: (result) => wiring.onResult(result),
      }),
    judged,
    windows,
    journal,
    notify: (transition) => notifier?.notify(transition),
  })
  const recoveryShadows = createRecoveryShadows({
    runtime,
    clock,
    logger,
    ids: { newId: () => randomUUID() },
    random: Math.random,
    settings: () => ({ percent: fallback.guardrails.recoveryShadowPercent }),
    allowed: (subject) => fallback.maySpareShadow(subject),
    record: (outcome) => fallback.recordShadow(outcome),
  })
  const shadows = createShadowing({
    backends: shadowBackends,
    clock,
    logger,
    ids: { newId: () => randomUUID() },
    replica: config.replica,
    settings: () => config.shadow,
    maxConcurrent: config.shadow.maxConcurrent,
    keep: (comparison) => journal.keepComparison(comparison),
    control: {
      fallbackNormal: () => isNormal(fallback.snapshot()),
      tallies: (mode) =>
        recentTallies(judged[mode === 'direct_llm' ? 'direct' : 'runtime'], fallback.guardrails),
      guardrails: () => fallback.guardrails,
    },
  })
  fallback.subscribe((event) => {
    if (event.kind === 'transition') metrics.recordTransition(event.transition)
  })
  const turns = createTurnRegistry(clock)
  const draining = new AbortController()
  const app = createApp({
    config,
    flags,
    fallback,
    recoveryShadows,
    shadows,
    windows,
    journal,
    sessions,
    backends: { direct_llm: directLlm, runtime_orchestrator: runtime },
    turns,
    clock,
    ids: { newId: () => randomUUID() },
    logger,
    metrics,
    lifecycle: { state: () => state, draining: draining.signal },
  })
  const server = createServer(app.callback())
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.on('clientError', answerClientError)

  async function stop(): Promise<void> {
    state = 'draining'
    draining.abort()
    // A replica that goes away may lose its own way to the runtime first: it trips nobody, and lets the lease go.
    const fallbackStopped = fallback.stop()
    await Promise.all([turns.drain(config.drainMs), recoveryShadows.stop(), shadows.stop(config.drainMs)])
    await closeServer(server)
    await fallbackStopped
    for (const backend of [directLlm, runtime, ...Object.values(shadowBackends)]) backend.close()
    await Promise.all([flags.close(), notifier?.close()])
    await Promise.all([journal.close(), sessions.close()])
    logger.info('stopped')
  }

  return {
    async start() {
      await listen(server, config)
      shadows.start()
      await flags.start()
      await fallback.start()
      if (state === 'starting') state = 'ready'
      return { url: urlOf(server, config.host) }
    },
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

function openSessions(config: Config, logger: Logger, clock: Clock): SessionStore {
  const options = { clock, replica: config.replica, historyBudget: config.historyBudget }
  return config.database === ':memory:'
    ? createMemorySessionStore(options)
    : openSqliteSessionStore(config.database, { ...options, logger })
}

function openJournal(config: Config, logger: Logger, clock: Clock): Journal {
  const { contentDays } = config.shadow
  return config.database === ':memory:'
    ? createMemoryJournal({ clock, retention: retentionInMemory(contentDays) })
    : openSqliteJournal(config.database, { clock, logger, retention: retentionFor(contentDays) })
}

function openNotifier(config: Config, logger: Logger, clock: Clock): Notifier | undefined {
  const { notify, replica } = config
  return notify === undefined ? undefined : createNotifier({ ...notify, clock, logger, replica })
}

const probeSettings = (guardrails: LoopGuardrails): ProbeSettings => ({
  intervalMs: guardrails.probeIntervalMs,
  timeoutMs: guardrails.probeTimeoutMs,
  failures: guardrails.probeFailures,
})

const isNormal = ({ override, isolated }: FallbackSnapshot): boolean =>
  override.auto.state === 'normal' && !isolated

/** The newest executions of users, and all of the window. */
function recentTallies(window: JudgedWindow, guardrails: LoopGuardrails): readonly Tally[] {
  const windowMs = guardrails.windowSeconds * 1000
  const fastMs = guardrails.fastWindowSeconds * 1000
  return [window.newest(fastMs, guardrails.minSamples, windowMs), window.tally(windowMs)]
}

async function listen(server: Server, config: Config): Promise<void> {
  server.listen(config.port, config.host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new Error(listenFault(config, errorCode(error) ?? errorText(error)), { cause: error })
  }
}

function listenFault({ host, port }: Config, code: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `PORT=${port} on ${host} is taken by another process; set PORT to a free one (0 takes any)`
    case 'EACCES':
      return `PORT=${port} needs rights this process has not; set PORT to 1024 or above`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `HOST=${host} is no address of this machine (${code}); 127.0.0.1 is this machine alone, 0.0.0.0 all addresses`
    default:
      return `cannot listen on HOST=${host} PORT=${port}: ${code}`
  }
}

/** No connection outlives the drain: idle ones go at once, the others after their last writes. */
async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), LAST_WRITES_MS)
  await closed
  clearTimeout(timer)
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
