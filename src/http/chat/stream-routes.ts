import type Router from '@koa/router'
import type { Context } from 'koa'
import { streamQuerySchema } from '../../protocol/api.js'
import type { Limits } from '../../turn/limits.js'
import type { Authenticate } from '../auth/auth.js'
import { guard, guardStreamId } from '../edge/guard.js'
import type { Sentence } from '../edge/language.js'
import { Problem } from '../edge/problems.js'
import type { KeptStream, StreamOwner } from '../stream/stream-log.js'
import type { Streams } from '../stream/streams.js'

const EVENT_ID = /^\d{1,15}$/

const NOT_AN_ID: Sentence = {
  'zh-CN': 'Last-Event-ID: 必须是该流中某个事件的 id（整数），从头读取请用 0',
  en: 'Last-Event-ID: must be the id of an event of this stream, a whole number; 0 reads from the beginning',
}

/** Streams that are gone on with on another connection. */
export function mountStreamRoutes(
  router: Router,
  authenticate: Authenticate,
  limits: Limits,
  streams: Streams,
): void {
  router.get('/chat/streams/:streamId', async (ctx) => {
    const { token, lastEventId } = guard(streamQuerySchema, ctx.query)
    const reader = await readerOf(ctx, token, authenticate, streams)
    const kept = streams.find(guardStreamId(ctx.params.streamId))
    if (kept === undefined || !mayRead(reader, kept)) throw new Problem('stream_unknown')
    const after = placeOf(ctx, lastEventId, kept)
    if (kept.after(after) === 'given_up') throw new Problem('stream_given_up')
    if (kept.isOver && after === kept.lastId) {
      // Tells an `EventSource`, which would ask again and again, that this was all.
      ctx.set('Cache-Control', 'no-store')
      ctx.status = 204
      return
    }
    const place = await limits.admitReader(kept.owner)
    try {
      await streams.attach(ctx, kept, after)
    } finally {
      place.close()
    }
  })
}

/** Who asks; `token_holder` may read this stream whoever it is. @throws Problem 401 */
async function readerOf(
  ctx: Context,
  token: string | undefined,
  authenticate: Authenticate,
  { tokens }: Streams,
): Promise<StreamOwner | 'token_holder'> {
  if (token === undefined || ctx.get('Authorization') !== '') return authenticate(ctx)
  if (!tokens.isOf(token, String(ctx.params.streamId).toLowerCase()))
    throw new Problem('stream_token_invalid')
  return 'token_holder'
}

function mayRead(reader: StreamOwner | 'token_holder', { owner }: KeptStream): boolean {
  return reader === 'token_holder' || (reader.orgId === owner.orgId && reader.userId === owner.userId)
}

/** The header wins: an `EventSource` that comes back sends it, with the query of its first call. @throws Problem 400 */
function placeOf(ctx: Context, query: string | undefined, { lastId }: KeptStream): number {
  const given = ctx.get('Last-Event-ID') || query || '0'
  const id = EVENT_ID.test(given) ? Number(given) : Number.NaN
  if (!(id <= lastId)) throw new Problem('body_fields', { details: [NOT_AN_ID] })
  return id
}
