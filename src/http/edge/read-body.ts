import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Context } from 'koa'
import type { Clock, Timer } from '../../core/clock.js'
import { MAX_BODY_BYTES } from '../../protocol/api.js'
import { Problem } from './problems.js'

export interface BodyLimits {
  readonly clock: Clock
  /** ms for the body to arrive */
  readonly bodyMs: number
  /** ms the rest of a refused body is thrown away before the connection is cut */
  readonly lingerMs: number
}

const DECODERS = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
} as const

/**
 * The body as JSON, at most `MAX_BODY_BYTES` after decompression and strictly UTF-8.
 * @throws Problem 400, 413 or 415
 */
export async function readJson(ctx: Context, limits: BodyLimits): Promise<unknown> {
  requireJson(ctx.get('Content-Type'))
  return parseJson(await readBody(ctx, limits))
}

/**
 * The body as JSON, or undefined if there is none or an empty one; that needs no content type.
 * @throws Problem 400, 413 or 415
 */
export async function readOptionalJson(ctx: Context, limits: BodyLimits): Promise<unknown> {
  if (ctx.get('Content-Length') !== '') {
    return Number(ctx.get('Content-Length')) === 0 ? undefined : readJson(ctx, limits)
  }
  if (ctx.get('Transfer-Encoding') === '') return undefined
  // Chunked: whether it is empty shows at its end.
  const bytes = await readBody(ctx, limits)
  if (bytes.length === 0) return undefined
  requireJson(ctx.get('Content-Type'))
  return parseJson(bytes)
}

/** A body nobody asked for is thrown away; one that goes on for long costs its connection. */
export function ignoreBody({ req }: Pick<Context, 'req'>, limits: BodyLimits): void {
  if (!req.complete) cutOffLater(req, limits)
}

async function readBody(ctx: Context, limits: BodyLimits): Promise<Buffer> {
  try {
    const decoder = decoderOf(ctx.get('Content-Encoding'))
    if (Number(ctx.get('Content-Length')) > MAX_BODY_BYTES) throw new Problem('body_too_large')
    return await readBytes(ctx.req, decoder, limits)
  } catch (thrown) {
    if (!ctx.req.complete) cutOffLater(ctx.req, limits)
    throw thrown
  }
}

/** `application/json` or `application/*+json`; a charset other than UTF-8 is refused, not guessed at. */
function requireJson(contentType: string): void {
  const [type = '', ...parameters] = contentType.toLowerCase().split(';')
  const charset = parameters.map((parameter) => /^\s*charset\s*=\s*"?([^"\s]*)/.exec(parameter)?.[1])
  const foreign = charset.some((name) => name !== undefined && name !== 'utf-8' && name !== 'utf8')
  if (foreign || !/^application\/(?:json|[\w.!#$&^-]+\+json)$/.test(type.trim()))
    throw new Problem('body_type')
}

function decoderOf(contentEncoding: string): (Readable & NodeJS.WritableStream) | undefined {
  const coding = contentEncoding.trim().toLowerCase()
  if (coding === '' || coding === 'identity') return undefined
  if (!isCoding(coding)) throw new Problem('body_coding')
  return DECODERS[coding]()
}

function isCoding(name: string): name is keyof typeof DECODERS {
  return Object.hasOwn(DECODERS, name)
}

function readBytes(
  req: IncomingMessage,
  decoder: (Readable & NodeJS.WritableStream) | undefined,
  { clock, bodyMs }: BodyLimits,
): Promise<Buffer> {
  const source = decoder ?? req
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const settle = (settled: () => void): void => {
      deadline.cancel()
      source.off('data', onData)
      source.off('end', onEnd)
      // A listener stays: a second error of a stream that is already given up must not end the process. But none of ours, with
      // which the body would be kept as long as the request's stream is open.
      req.on('error', ignore)
      req.off('error', fail)
      req.off('close', onClose)
      if (decoder !== undefined) {
        req.unpipe(decoder)
        decoder.destroy()
      }
      settled()
    }
    const fail = (thrown: unknown): void => settle(() => reject(thrown))
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > MAX_BODY_BYTES) fail(new Problem('body_too_large'))
      else chunks.push(chunk)
    }
    const deadline: Timer = clock.schedule(bodyMs, () => fail(new Problem('body_late')))
    const onEnd = (): void => settle(() => resolve(Buffer.concat(chunks, size)))
    const onClose = (): void => {
      if (!req.complete) fail(Object.assign(new Error('the client left'), { code: 'ECONNRESET' }))
    }
    source.on('data', onData)
    source.on('end', onEnd)
    req.on('error', fail)
    req.on('close', onClose)
    decoder?.on('error', (cause) => fail(new Problem('body_compression', { cause })))
    if (decoder !== undefined) req.pipe(decoder)
  })
}

function ignore(): void {}

/** Node throws the rest of the body away, so that the client gets to read the answer; but not for ever. */
function cutOffLater(req: IncomingMessage, { clock, lingerMs }: BodyLimits): void {
  req.resume()
  const timer = clock.schedule(lingerMs, () => {
    if (!req.complete) req.destroy()
  })
  req.once('close', () => timer.cancel())
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new Problem('body_empty')
  const text = decodeUtf8(bytes)
  try {
    return JSON.parse(text)
  } catch {
    // The cause is left out: V8 quotes the content in it.
    throw new Problem('body_json')
  }
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Problem('body_encoding')
  }
}
