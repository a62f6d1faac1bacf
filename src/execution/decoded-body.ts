import { Readable, type Transform } from 'node:stream'
import zlib from 'node:zlib'
import { ExecutionError } from './execution-error.js'
import { token } from './foreign.js'
import type { ChunkSource } from './sse-reader.js'
import { TransportError } from './transport-error.js'
import type { UpstreamResponse } from './upstream-response.js'

type Decoder = (first: Buffer) => Transform

// Cut off, a body is decoded as far as it came: whether that was all of the answer is for its reader to tell.
const ZLIB = { flush: zlib.constants.Z_SYNC_FLUSH, finishFlush: zlib.constants.Z_SYNC_FLUSH }
const BROTLI = {
  flush: zlib.constants.BROTLI_OPERATION_FLUSH,
  finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH,
}

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', () => zlib.createGunzip(ZLIB)],
  ['x-gzip', () => zlib.createGunzip(ZLIB)],
  ['br', () => zlib.createBrotliDecompress(BROTLI)],
  // Half of the servers mean the bare stream by it, without the two bytes of a head.
  [
    'deflate',
    (first) => (((first[0] ?? 0) & 0x0f) === 8 ? zlib.createInflate(ZLIB) : zlib.createInflateRaw(ZLIB)),
  ],
  ...zstd(),
])

/** Where Node has it: 22.15 and later. */
function zstd(): [string, Decoder][] {
  const create: unknown = Reflect.get(zlib, 'createZstdDecompress')
  return typeof create === 'function' ? [['zstd', () => create() as Transform]] : []
}

/** A body that can be left before its end. */
export interface BodySource extends ChunkSource {
  close(): void
}

/**
 * The body of a response without its `Content-Encoding`; what has come is passed on at once, and no more is read than
 * is taken.
 * @throws ExecutionError for an encoding that is not known
 */
export function decodedBody(response: UpstreamResponse): BodySource {
  const encodings = response.contentEncoding
    .toLowerCase()
    .split(',')
    .map((encoding) => encoding.trim())
    .filter((encoding) => encoding !== '' && encoding !== 'identity')
  const [encoding] = encodings
  if (encoding === undefined) return { read: () => response.read(), close: () => undefined }
  const decoder = encodings.length === 1 ? DECODERS.get(encoding) : undefined
  if (decoder === undefined) {
    const named = token(encodings.join(','), 64) ?? 'without a readable name'
    throw new ExecutionError('llm_protocol_error', 'headers', `unknown content encoding ${named}`)
  }
  return new DecodedBody(response, encoding, decoder)
}

class DecodedBody implements BodySource {
  #iterator: AsyncIterator<unknown> | undefined
  #decoder: Transform | undefined
  #over = false

  constructor(
    private readonly source: ChunkSource,
    private readonly encoding: string,
    private readonly create: Decoder,
  ) {}

  async read(): Promise<Buffer | undefined> {
    if (this.#over) return undefined
    try {
      this.#iterator ??= await this.#start()
      const next = await this.#iterator?.next()
      if (next !== undefined && next.done !== true && Buffer.isBuffer(next.value)) return next.value
      this.#over = true
      return undefined
    } catch (thrown) {
      this.#over = true
      if (thrown instanceof TransportError) throw thrown
      throw new ExecutionError('llm_protocol_error', 'streaming', `the answer is no ${this.encoding}`)
    }
  }

  close(): void {
    this.#over = true
    this.#decoder?.destroy()
  }

  /** Undefined where nothing came at all. */
  async #start(): Promise<AsyncIterator<unknown> | undefined> {
    const first = await this.source.read()
    if (first === undefined) return undefined
    const decoder = this.create(first)
    this.#decoder = decoder
    const encoded = Readable.from(chunksOf(first, this.source), { objectMode: true, highWaterMark: 1 })
    encoded.on('error', (error) => decoder.destroy(error))
    decoder.once('close', () => encoded.destroy())
    // Without a listener an error after `close` would end the process.
    decoder.on('error', () => undefined)
    encoded.pipe(decoder)
    return decoder[Symbol.asyncIterator]()
  }
}

async function* chunksOf(first: Buffer, source: ChunkSource): AsyncGenerator<Buffer> {
  for (let chunk: Buffer | undefined = first; chunk !== undefined; chunk = await source.read()) yield chunk
}
