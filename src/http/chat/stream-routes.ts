import type Router from '@koa/router'
import type { Context } from 'koa'
import { streamQuerySchema } from '../../protocol/api.js'
import type { Limits } from '../../turn/limits.js'
import type { Authenticate } from '../auth/auth.js'
import { guard, guardStreamId } from '../edge/guard.js'
import type { Sentence } from '../edge/language.js'
import { Problem } from '../edge/problems.js'
import { isTokenOf } from '../fleet/fleet-streams.js'
import type { RemoteStream } from '../fleet/remote-streams.js'
import type { KeptStream, StreamOwner } from '../stream/stream-log.js'
import type { Streams } from '../stream/streams.js'
import { assertReadable, type RemoteReaders } from './remote-reader.js'

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
  remote?: RemoteReaders,
): void {
  router.get('/chat/streams/:streamId', async (ctx) => {
    const { token, lastEventId } = guard(streamQuerySchema, ctx.query)
    const reader = await readerOf(ctx, token, authenticate)
    const streamId = guardStreamId(ctx.params.streamId)
    const here = streams.find(streamId)
    const elsewhere = here === undefined ? await remote?.find(streamId) : undefined
    if (reader.kind === 'token_holder' && !isOpenedBy(reader.token, streamId, streams, elsewhere))
      throw new Problem('stream_token_invalid')
    const found = here ?? elsewhere
    if (found === undefined || !mayRead(reader, found)) throw new Problem('stream_unknown')
    // A copy may lag behind what its reader has seen already.
    const newest = elsewhere === undefined || elsewhere.isOver ? found.lastId : Number.MAX_SAFE_INTEGER
    const after = placeOf(ctx, lastEventId, newest)
    if (elsewhere !== undefined) assertReadable(elsewhere, after)
    if (here?.after(after) === 'given_up') throw new Problem('stream_given_up')
    if (found.isOver && after === found.lastId) {
      // Tells an `EventSource`, which would ask again and again, that this was all.
      ctx.set('Cache-Control', 'no-store')
      ctx.status = 204
      return
    }
    const place = await limits.admitReader(found.owner)
    try {
      if (here !== undefined) await streams.attach(ctx, here, after)
      else if (elsewhere !== undefined) await remote?.attach(ctx, elsewhere, after)
    } finally {
      place.close()
    }
  })
}

/** Who asks: a user, or a reader with the token of one stream. */
type Asker =
  | { readonly kind: 'user'; readonly owner: StreamOwner }
  | { readonly kind: 'token_holder'; readonly token: string }

/** @throws Problem 401 */
async function readerOf(ctx: Context, token: string | undefined, authenticate: Authenticate): Promise<Asker> {
  if (token === undefined || ctx.get('Authorization') !== '')
    return { kind: 'user', owner: await authenticate(ctx) }
  return { kind: 'token_holder', token }
}

function isOpenedBy(
  token: string,
  streamId: string,
  { tokens }: Streams,
  elsewhere: RemoteStream | undefined,
): boolean {
  return tokens.isOf(token, streamId) || (elsewhere !== undefined && isTokenOf(token, elsewhere))
}

function mayRead(reader: Asker, { owner }: Pick<KeptStream, 'owner'>): boolean {
  if (reader.kind === 'token_holder') return true
  return reader.owner.orgId === owner.orgId && reader.owner.userId === owner.userId
}

/** The header wins: an `EventSource` that comes back sends it, with the query of its first call. @throws Problem 400 */
function placeOf(ctx: Context, query: string | undefined, lastId: number): number {
  const given = ctx.get('Last-Event-ID') || query || '0'
  const id = EVENT_ID.test(given) ? Number(given) : Number.NaN
  if (!(id <= lastId)) throw new Problem('body_fields', { details: [NOT_AN_ID] })
  return id
}
