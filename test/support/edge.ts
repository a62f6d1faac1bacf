import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Router from '@koa/router'
import { type JWTPayload, SignJWT } from 'jose'
import { createApp } from '../../src/app.js'
import type { Config } from '../../src/config.js'
import { type Clock, systemClock } from '../../src/core/clock.js'
import type { Logger } from '../../src/core/logger.js'
import { NO_TRACING, type Tracing } from '../../src/core/tracing/tracing.js'
import type { Flags, FlagsStatus, TurnFlags } from '../../src/decision/flags.js'
import { guardrailsSchema, resolveGuardrails } from '../../src/decision/guardrails.js'
import type { ChatBackend } from '../../src/execution/backend.js'
import type { Outcome } from '../../src/execution/outcome.js'
import type { AppDeps, EdgeMetrics, EdgeTiming } from '../../src/http/app-deps.js'
import type { Missing } from '../../src/http/readiness.js'
import { MemoryKeys } from '../../src/idempotency/memory-keys.js'
import type { Journal } from '../../src/journal/journal.js'
import { type ChatLimits, chatLimitsSchema } from '../../src/limits/chat-limits.js'
import type { OverloadWatch } from '../../src/limits/overload.js'
import type { RefusalReason } from '../../src/limits/refusal.js'
import { createMemoryUsage, type TokenUsage } from '../../src/limits/token-usage.js'
import type { PublicWindows } from '../../src/metrics/windows/windows.js'
import type { Failover } from '../../src/protocol/events.js'
import type { Decision, ExecutionMode } from '../../src/protocol/modes.js'
import { replay } from '../../src/replay/replay.js'
import { createMemorySessionStore } from '../../src/sessions/memory-session-store.js'
import type { SessionStore } from '../../src/sessions/session-store.js'
import { createTurnRegistry, type TurnRegistry } from '../../src/turn/turn-registry.js'
import { capturingLogger } from './capturing-logger.js'
import {
  type FakeFallback,
  type FakeJournal,
  type FakeWindows,
  fakeFallback,
  fakeJournal,
  fakeWindows,
} from './fallback-fakes.js'
import { CODE_DEFAULTS } from './flag-files.js'
import { type FakeRollout, fakeRollout } from './rollout-fakes.js'
import { answering } from './scripted-backend.js'

export const EDGE_SECRET = 'edge-secret-edge-secret-edge-secret'

export const DEFAULT_FLAGS: TurnFlags = {
  mode: { value: 'direct_llm', reason: 'code_default' },
  shadow: false,
  override: { on: false },
  rollout: { on: false },
  guardrails: resolveGuardrails(guardrailsSchema.parse({}), { errorRate: 0.5, totalMs: 300_000 }),
  profile: {},
  route: { endpoints: [] },
}

const NO_OPS_FILE: AppDeps['opsFile'] = {
  read: async () => ({ kind: 'missing' }),
  write: async () => ({ kind: 'conflict', stored: { kind: 'missing' } }),
}

/** What a test may set; everything else is as small and quick as it can be. */
export interface EdgeOptions {
  readonly auth?: Partial<Config['auth']>
  readonly maxStreams?: number
  /** default: in memory, of this edge alone */
  readonly idempotency?: AppDeps['idempotency']
  /** default: it works alone */
  readonly fleet?: AppDeps['fleet']
  readonly turnsPerMinute?: number
  /** that one operator may send */
  readonly commandsPerMinute?: number
  /** flag `chat-limits`, of all orgs; default: no limits but those above */
  readonly limits?: Partial<ChatLimits>
  /** ... of one; default: those of all */
  readonly limitsFor?: (orgId: string) => Partial<ChatLimits>
  /** default: no overload */
  readonly overload?: Pick<OverloadWatch, 'level' | 'places' | 'onLook' | 'turnedAway'>
  /** default: in memory */
  readonly usage?: TokenUsage
  /** CHAT_ON_DISCONNECT */
  readonly onDisconnect?: Config['onDisconnect']
  /** CHAT_RECONNECT_GRACE_MS; default 0: a turn ends with its reader */
  readonly reconnectGraceMs?: number
  /** default: this one alone */
  readonly replicas?: AppDeps['replicas']
  /** of events kept of all streams */
  readonly streamBytes?: number
  readonly flags?: Partial<TurnFlags>
  readonly flagsFor?: Flags['forTurn']
  readonly status?: Partial<FlagsStatus>
  /** in place of fixed ones */
  readonly realFlags?: Flags
  /** the operators' file; default: there is none */
  readonly opsFile?: AppDeps['opsFile']
  readonly codeDefaults?: Partial<Config['codeDefaults']>
  readonly admission?: AppDeps['admission']
  readonly backends?: Partial<Record<ExecutionMode, ChatBackend>>
  readonly sessions?: SessionStore
  /** in place of the edge's own `windows` */
  readonly realWindows?: PublicWindows
  readonly shadows?: AppDeps['shadows']
  readonly recoveryShadows?: AppDeps['recoveryShadows']
  /** in place of the edge's own */
  readonly metrics?: Partial<EdgeMetrics>
  /** in place of the edge's own `journal` */
  readonly realJournal?: Journal
  /** CHAT_SHADOW_KEEP_CONTENT */
  readonly keepContent?: boolean
  /** CHAT_CORS_ORIGINS */
  readonly corsOrigins?: readonly string[]
  /** address of a simulator, with CHAT_DEMO */
  readonly simulatedRuntime?: string
  /** CHAT_OPENAI_MODELS */
  readonly models?: Config['openai']['models']
  readonly clock?: Clock
  /** in place of those of `auth.keys` */
  readonly signingKeys?: AppDeps['signingKeys']
  /** default: nobody traces */
  readonly tracing?: Tracing
  /** the log line at which the logger throws, or `every line` */
  readonly loggerThrowsAt?: string
  readonly timing?: Partial<EdgeTiming>
}

/** The whole request edge on a loopback port, its neighbours in memory. */
export interface Edge {
  readonly url: string
  readonly port: number
  readonly server: Server
  /** method and path of each route, as the routers have them: `POST /api/v1/chat/start` */
  readonly routes: readonly string[]
  readonly sessions: SessionStore
  readonly turns: TurnRegistry
  readonly outcomes: Outcome[]
  readonly endedTurns: Parameters<EdgeMetrics['recordTurn']>[0][]
  /** status and route of each answered request */
  readonly requests: string[]
  readonly decisions: Decision[]
  readonly failovers: Failover[]
  readonly refusals: RefusalReason[]
  readonly fallback: FakeFallback
  readonly rollout: FakeRollout
  readonly windows: FakeWindows
  readonly journal: FakeJournal
  /** who listens to changes of the flags */
  readonly flagListeners: Set<(keys: readonly string[]) => void>
  readonly openStreams: () => number
  /** parsed log lines */
  readonly log: Record<string, unknown>[]
  /** `draining` is for good */
  state: 'starting' | 'ready' | 'draining'
  /** what a start waits for */
  missing: readonly Missing[]
  close(): Promise<void>
}

export async function startEdge(options: EdgeOptions = {}): Promise<Edge> {
  const clock = options.clock ?? systemClock
  const { logger, lines } = capturingLogger()
  const sessions = options.sessions ?? createMemorySessionStore({ clock })
  const turns = createTurnRegistry(clock)
  const recorded = recordingMetrics()
  const state = { now: 'ready' as Edge['state'], missing: [] as Edge['missing'] }
  const draining = new AbortController()
  const around = {
    fallback: fakeFallback(),
    rollout: fakeRollout(),
    windows: fakeWindows(),
    journal: fakeJournal(),
  }
  const flagListeners: Edge['flagListeners'] = new Set()
  const app = createApp({
    recoveryShadows: options.recoveryShadows ?? { consider: () => undefined },
    shadows: options.shadows ?? { consider: () => undefined },
    config: {
      auth: { keys: { kind: 'secret', secret: EDGE_SECRET }, operatorRole: 'admin', ...options.auth },
      corsOrigins: options.corsOrigins ?? [],
      demo: options.simulatedRuntime !== undefined,
      runtime: { url: options.simulatedRuntime ?? 'http://127.0.0.1:1', fileOrigins: [] },
      openai: { models: options.models ?? [{ id: 'gpt-4o', agentId: 'assistant' }] },
      maxStreams: options.maxStreams ?? 1000,
      onDisconnect: options.onDisconnect ?? 'cancel',
      reconnectGraceMs: options.reconnectGraceMs ?? 0,
      turnsPerMinute: options.turnsPerMinute ?? 0,
      shadow: { keepContent: options.keepContent ?? false },
      replica: 'replica-1',
      codeDefaults: { ...CODE_DEFAULTS, ...options.codeDefaults },
      flags: { opsFile: 'flags/chat.flagd.json' },
      llm: [{ name: 'default' }],
    },
    flags: options.realFlags ?? fixedFlags(options, flagListeners),
    opsFile: options.opsFile ?? NO_OPS_FILE,
    replay: (request) => replay(request, { journal: options.realJournal ?? around.journal, clock }),
    flagsEdited: (edit) => (options.realJournal ?? around.journal).keepFlagEdit(edit),
    ...around,
    windows: options.realWindows ?? around.windows,
    journal: options.realJournal ?? around.journal,
    sessions,
    admission: options.admission ?? { admit: () => undefined, leave: () => undefined },
    backends: {
      direct_llm: answering('direct_llm', 'Hello from direct'),
      runtime_orchestrator: answering('runtime_orchestrator', 'Hello from runtime'),
      ...options.backends,
    },
    replicas: options.replicas ?? {
      seen: () => [{ name: 'replica-1', version: '0.1.0', state: 'ready', firstSeen: 0, lastSeen: 1000 }],
    },
    llmState: () => ({ llm: [{ name: 'default', requests: 2, resting: false }], waiting: 1 }),
    turns,
    usage: options.usage ?? createMemoryUsage(clock),
    overload: options.overload ?? {
      level: 0,
      places: undefined,
      onLook: () => undefined,
      turnedAway: () => undefined,
    },
    clock,
    ids: { newId: randomUUID },
    logger: throwingAt(logger, options.loggerThrowsAt),
    metrics: { ...recorded.metrics, ...options.metrics },
    tracing: options.tracing ?? NO_TRACING,
    lifecycle: { state: () => state.now, missing: () => state.missing, draining: draining.signal },
    idempotency: options.idempotency ?? new MemoryKeys(clock),
    ...(options.fleet === undefined ? {} : { fleet: options.fleet }),
    ...(options.signingKeys === undefined ? {} : { signingKeys: options.signingKeys }),
    timing: { stopLookMs: 50, ...options.timing },
    ...(options.commandsPerMinute === undefined ? {} : { commandsPerMinute: options.commandsPerMinute }),
    ...(options.streamBytes === undefined ? {} : { streamBytes: options.streamBytes }),
  })
  const server = createServer(app.listener)
  // A test that fails halfway leaves its edge open; the process still has to end.
  server.unref()
  server.on('connection', (socket) => socket.unref())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    routes: routesOf(app.middleware),
    sessions,
    turns,
    ...recorded.seen,
    ...around,
    flagListeners,
    openStreams: recorded.openStreams,
    log: lines,
    get missing() {
      return state.missing
    },
    set missing(next) {
      state.missing = next
    },
    get state() {
      return state.now
    },
    set state(next) {
      state.now = next
      if (next === 'draining') draining.abort()
    },
    async close() {
      draining.abort()
      await turns.drain(0)
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
      await sessions.close()
    },
  }
}

/** A router hangs itself on the middleware it makes. */
function routesOf(middleware: readonly object[]): string[] {
  return middleware
    .map((one): unknown => Reflect.get(one, 'router'))
    .filter((router) => router instanceof Router)
    .flatMap((router) => router.stack)
    .flatMap(({ methods, path }) =>
      methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path)}`),
    )
}

function throwingAt(logger: Logger, line: string | undefined): Logger {
  if (line === undefined) return logger
  return new Proxy(logger, {
    get: (target, name) =>
      name === 'debug' || name === 'info' || name === 'warn' || name === 'error'
        ? (fields: object, text: string) => {
            if (line === 'every line' || text === line) throw new Error('the log broke')
            target[name](fields, text)
          }
        : Reflect.get(target, name),
  })
}

function fixedFlags(options: EdgeOptions, listeners: Edge['flagListeners']): Flags {
  return {
    start: async () => undefined,
    forTurn: options.flagsFor ?? (async () => ({ ...DEFAULT_FLAGS, ...options.flags })),
    limitsFor: async (orgId) => chatLimitsSchema.parse(options.limitsFor?.(orgId) ?? options.limits ?? {}),
    forService: async () => ({
      guardrails: DEFAULT_FLAGS.guardrails,
      policy: 'auto',
      modeForAll: 'direct',
      ready: true,
    }),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    status: () => ({ resolver: 'file', state: 'ready', faults: [], ...options.status }),
    codeDefaults: () => new Map(),
    origin: () => 'source',
    close: async () => undefined,
  }
}

function recordingMetrics() {
  const seen = {
    outcomes: [] as Outcome[],
    decisions: [] as Decision[],
    failovers: [] as Failover[],
    refusals: [] as RefusalReason[],
    endedTurns: [] as Parameters<EdgeMetrics['recordTurn']>[0][],
    requests: [] as string[],
  }
  let open = 0
  const metrics: EdgeMetrics = {
    recordOutcome: (outcome) => seen.outcomes.push(outcome),
    recordDecision: (decision) => seen.decisions.push(decision),
    recordFailover: (failover) => seen.failovers.push(failover),
    recordTurn: (turn) => seen.endedTurns.push(turn),
    recordRefusal: (reason) => seen.refusals.push(reason),
    recordRequest: (route, code) => seen.requests.push(`${code} ${route}`),
    streamOpened: () => {
      open += 1
    },
    streamClosed: () => {
      open -= 1
    },
    exposition: async (format) => ({
      contentType:
        format === 'openmetrics'
          ? 'application/openmetrics-text; version=1.0.0; charset=utf-8'
          : 'text/plain; version=0.0.4; charset=utf-8',
      body: 'up 1\n',
    }),
  }
  return { metrics, seen, openStreams: () => open }
}

/** by their claims; of the tests of one minute and one file, as a rule */
const tokens = new Map<string, Promise<string>>()
const MAX_TOKENS = 1000

/** A bearer header for a token of this edge; `claims` replace the usual ones, undefined takes one away. */
export async function bearer(claims: JWTPayload = {}): Promise<string> {
  // In whole minutes, so that most tests need few tokens: each is signed by another thread.
  const exp = 60 * Math.ceil(Date.now() / 60_000 + 10)
  const all = { sub: 'user-1', org_id: 'org-1', role: 'member', exp, ...claims }
  const name = JSON.stringify(all)
  const token =
    tokens.get(name) ??
    new SignJWT(all).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(Buffer.from(EDGE_SECRET))
  if (tokens.size >= MAX_TOKENS) tokens.clear()
  tokens.set(name, token)
  return `Bearer ${await token}`
}
