import type Router from '@koa/router'
import type { Context } from 'koa'
import { spanOf } from '../../core/tracing/request-span.js'
import type { ChatCompletionRequest, OpenAiEvents } from '../../protocol/openai.js'
import type { SingleTurn } from '../../turn/begin-turn.js'
import type { Limits } from '../../turn/limits.js'
import { runTurn } from '../../turn/run-turn.js'
import type { ReaderOptions, TurnReader } from '../../turn/turn-reader.js'
import { tellQuota } from '../answer-headers.js'
import { type AppDeps, EDGE_TIMING, type EdgeTiming } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import type { Identity } from '../auth/claims.js'
import { type BodyLimits, readJson } from '../edge/read-body.js'
import { requestIdOf } from '../edge/request-id.js'
import { askedTurn, guardCompletion, guardEvents } from './asked-turn.js'
import { bucketOf } from './bucket.js'
import { openChunkReader } from './chunk-reader.js'
import { agentOf, modelView } from './models.js'
import { openWholeReader } from './whole-reader.js'

/** The OpenAI-compatible front: turns of no session, for clients that talk to an LLM. */
export function mountOpenAiRoutes(
  router: Router,
  authenticate: Authenticate,
  limits: Limits,
  deps: AppDeps,
): void {
  const { models } = deps.config.openai
  const timing: EdgeTiming = { ...EDGE_TIMING, ...deps.timing }
  const bodyLimits: BodyLimits = { ...timing, clock: deps.clock }

  router.post('/chat/completions', async (ctx) => {
    const identity = await authenticate(ctx)
    const place = await limits.admit(identity, { kind: 'new', tell: tellQuota(ctx) })
    try {
      const events = guardEvents(ctx.query)
      const request = guardCompletion(await readJson(ctx, bodyLimits))
      const turn = singleTurn(ctx, request, identity)
      await runTurn(
        turn,
        { ...identity, requestId: requestIdOf(ctx), ...spanOf(ctx) },
        place,
        (options) => openReader(ctx, request, events, options),
        deps,
        timing,
      )
    } finally {
      place.close()
    }
  })

  router.get('/models', async (ctx) => {
    await authenticate(ctx)
    ctx.set('Cache-Control', 'no-store')
    ctx.body = { object: 'list', data: models.map(modelView) }
  })

  // A name may have slashes, and some clients send them as they are.
  router.get('/models/*model', async (ctx) => {
    await authenticate(ctx)
    const id = ctx.params.model ?? ''
    agentOf(id, models)
    ctx.set('Cache-Control', 'no-store')
    ctx.body = modelView({ id })
  })

  function singleTurn(ctx: Context, request: ChatCompletionRequest, identity: Identity): SingleTurn {
    const agentId = agentOf(request.model, models)
    const asked = askedTurn(request)
    const firstMessage = asked.history.find(({ role }) => role === 'user')?.content ?? asked.message
    const sessionHeader = ctx.get('X-Chat-Session-Id')
    const bucket = bucketOf({ sessionHeader, user: request.user ?? undefined, firstMessage }, identity)
    return { kind: 'single', agentId, bucket, ...asked }
  }

  function openReader(
    ctx: Context,
    { model, stream, stream_options: streamOptions }: ChatCompletionRequest,
    events: OpenAiEvents,
    { messageId, sessionId, onReaderLost }: ReaderOptions,
  ): TurnReader {
    ctx.set({ 'X-Chat-Stream-Id': messageId, 'X-Chat-Session-Id': sessionId })
    const created = Math.floor(deps.clock.wall() / 1000)
    const head = { id: `chatcmpl-${messageId}`, created, model }
    const { heartbeatMs, slowReaderMs } = timing
    const options = { head, events, clock: deps.clock, slowReaderMs, onReaderLost }
    if (stream !== true) return openWholeReader(ctx, options)
    return openChunkReader(ctx, { ...options, heartbeatMs, withUsage: streamOptions?.include_usage === true })
  }
}
