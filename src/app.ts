import { randomBytes } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { getHeapStatistics } from 'node:v8'
import Router from '@koa/router'
import Koa, { type Middleware } from 'koa'
import { errorText, unreachable } from './core/errors.js'
import { safeHeaders } from './http/answer-headers.js'
import { type AppDeps, EDGE_TIMING } from './http/app-deps.js'
import { createAuthenticate } from './http/auth/auth.js'
import { limitCommands } from './http/auth/limit-commands.js'
import { createTokenVerifier } from './http/auth/token-verifier.js'
import { mountChatRoutes } from './http/chat/chat-routes.js'
import { createRemoteReaders } from './http/chat/remote-reader.js'
import { mountSessionRoutes } from './http/chat/session-routes.js'
import { shedEarly } from './http/chat/shed-early.js'
import { mountStreamRoutes } from './http/chat/stream-routes.js'
import { mountDataRoutes } from './http/data/data-routes.js'
import { allowOrigins } from './http/edge/cors.js'
import { countRequests } from './http/edge/count-requests.js'
import { edgeFailed } from './http/edge/edge-log.js'
import { answerErrors, isClientGone } from './http/edge/error-handler.js'
import { languageOf } from './http/edge/language.js'
import { requestId } from './http/edge/request-id.js'
import { refuseUnmatched } from './http/edge/unmatched.js'
import { createFlagEditFeed } from './http/flags/flag-edit-feed.js'
import { mountFlagRoutes } from './http/flags/flag-routes.js'
import type { ReplicaMessage } from './http/fleet/replica-messages.js'
import { mountHealthRoutes } from './http/health-routes.js'
import { answerOpenAiProblem } from './http/openai/openai-error.js'
import { mountOpenAiRoutes } from './http/openai/openai-routes.js'
import { mountOpenApiRoutes } from './http/openapi/openapi-routes.js'
import { mountFallbackRoutes } from './http/operator/fallback-routes.js'
import { mountRolloutRoutes } from './http/operator/rollout-routes.js'
import { mountRuntimeRoutes } from './http/operator/runtime-routes.js'
import { mountConsoleRoutes } from './http/pages/console-routes.js'
import { mountBaselineRoutes } from './http/reports/baseline-routes.js'
import { mountMetricsHistoryRoutes } from './http/reports/metrics-history-routes.js'
import { mountReplayRoutes } from './http/reports/replay-routes.js'
import { createReports } from './http/reports/reports.js'
import { mountShadowPairsRoutes } from './http/reports/shadow-pairs-routes.js'
import { mountShadowRoutes } from './http/reports/shadow-routes.js'
import { MemoryStreamLog } from './http/stream/memory-stream-log.js'
import type { Grace } from './http/stream/shared-stream.js'
import { createStreamTokens } from './http/stream/stream-token.js'
import { createStreams, type Streams } from './http/stream/streams.js'
import { traceRequests } from './http/trace-requests.js'
import { createStartRates } from './limits/start-rates.js'
import { API_PREFIX } from './protocol/api.js'
import { OPENAI_PREFIX } from './protocol/openai.js'
import { createLimits } from './turn/limits.js'

export interface App {
  /** for the HTTP server */
  readonly listener: RequestListener
  readonly middleware: Koa['middleware']
}

/** The request edge, in the order a request meets it. Owns no timer of its own beside those of open requests. */
export function createApp(deps: AppDeps): App {
  const { authenticate, recognize } = createAuthenticate(createTokenVerifier(deps.config.auth, deps))
  const operators = limitCommands(authenticate, createStartRates(deps.clock), deps.commandsPerMinute)
  const reports = createReports(deps.clock)
  const edits = createFlagEditFeed((edit) => deps.flagsEdited(edit))
  const limits = createLimits(deps)
  const streams = openStreams(deps)
  const remote = deps.fleet && createRemoteReaders({ fleet: deps.fleet, streams, sessions: deps.sessions })
  const chat = new Router({ prefix: API_PREFIX })
  const open = new Router()
  const api = new Router({ prefix: API_PREFIX })
  const openAi = new Router({ prefix: OPENAI_PREFIX })
  mountChatRoutes(chat, authenticate, limits, streams, deps, remote)
  mountStreamRoutes(chat, authenticate, limits, streams, remote)
  mountSessionRoutes(chat, authenticate, streams, deps)
  mountHealthRoutes(open, deps)
  mountOpenApiRoutes(open)
  mountConsoleRoutes(open, authenticate, deps)
  mountOpenAiRoutes(openAi, authenticate, limits, deps)
  mountDataRoutes(api, operators, streams, deps)
  mountRuntimeRoutes(api, operators, deps)
  mountFlagRoutes(api, operators, edits, reports, deps)
  mountFallbackRoutes(api, operators, edits, deps)
  mountRolloutRoutes(api, operators, deps)
  mountBaselineRoutes(api, operators, reports, deps)
  mountMetricsHistoryRoutes(api, operators, reports, deps)
  mountShadowRoutes(api, operators, reports, deps)
  mountShadowPairsRoutes(api, operators, reports, deps)
  mountReplayRoutes(api, operators, reports, deps)

  const app = new Koa()
  app.use(requestId(deps.ids))
  app.use(safeHeaders)
  app.use(traceRequests(deps))
  app.use(countRequests(deps))
  // Outside of the errors: a page must be able to read those too.
  if (deps.config.corsOrigins.length > 0) app.use(allowOrigins(deps.config.corsOrigins))
  app.use(answerErrors(deps.logger))
  app.use(below(OPENAI_PREFIX, answerErrors(deps.logger, answerOpenAiProblem)))
  // First: each route that is in front of a turn's costs it a match.
  app.use(chat.routes())
  app.use(open.routes())
  app.use(api.routes())
  app.use(openAi.routes())
  app.use(refuseUnmatched)
  app.on('error', (thrown: unknown) => {
    if (!isClientGone(thrown)) edgeFailed(deps.logger, { error: errorText(thrown) })
  })
  const shedding = {
    ...deps,
    corsOrigins: deps.config.corsOrigins,
    startPath: `${API_PREFIX}/chat/start`,
    recognize,
    limits,
    languageOf: (request: IncomingMessage, response: ServerResponse) =>
      languageOf(app.createContext(request, response)),
  }
  return { listener: shedEarly(shedding, app.callback()), middleware: app.middleware }
}

/** of the heap's limit, for the events of all streams */
const STREAMS_SHARE = 1 / 8

function openStreams({ config, clock, timing, streamBytes, fleet, turns }: AppDeps): Streams {
  const maxBytes = streamBytes ?? getHeapStatistics().heap_size_limit * STREAMS_SHARE
  const { heartbeatMs, slowReaderMs } = { ...EDGE_TIMING, ...timing }
  const tokens = createStreamTokens(randomBytes(32))
  const own = new MemoryStreamLog({ clock, maxBytes })
  const grace: Grace =
    config.onDisconnect === 'finish'
      ? { kind: 'finish' }
      : { kind: 'cancel', afterMs: config.reconnectGraceMs }
  // A turn that ends with its reader has no stream that anybody could come back to.
  const isCopied = grace.kind === 'finish' || grace.afterMs > 0
  const streams = createStreams({
    log: isCopied && fleet ? fleet.copying(own, (streamId) => tokens.of(streamId)) : own,
    tokens,
    grace,
    timing: { clock, heartbeatMs, slowReaderMs },
    clock,
  })
  fleet?.onMessage((message) => hear(message, streams, turns))
  return streams
}

/** What other replicas tell this one. */
function hear(message: ReplicaMessage, streams: Streams, turns: AppDeps['turns']): void {
  switch (message.kind) {
    case 'stop':
      turns.abort(message.messageId, 'stopped')
      return
    case 'reading':
      streams.readElsewhere(message.streamId, message.reader, message.ms)
      return
    case 'left':
      streams.readElsewhere(message.streamId, message.reader, 'left')
      return
    case 'erase':
      // The log of the streams hears it.
      return
    default:
      unreachable(message)
  }
}

/** The middleware for a path and all below it; the others pass by. */
function below(path: string, middleware: Middleware): Middleware {
  return (ctx, next) =>
    ctx.path === path || ctx.path.startsWith(`${path}/`) ? middleware(ctx, next) : next()
}
