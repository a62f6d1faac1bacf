import type { Transform } from 'node:stream'
import zlib from 'node:zlib'
import { ExecutionError } from '../execution-error.js'
import { token } from '../parse/foreign.js'
import { TransportError } from '../transport-error.js'
import type { ByteSink, ByteSource } from './byte-source.js'
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

/**
 * The body of a response without its `Content-Encoding`; what has come is passed on at once, and no more is read than
 * is taken.
 * @throws ExecutionError for an encoding that is not known
 */
export function decodedBody(response: ByteSource & Pick<UpstreamResponse, 'contentEncoding'>): ByteSource {
  const encodings = response.contentEncoding
    .toLowerCase()
    .split(',')
    .map((encoding) => encoding.trim())
    .filter((encoding) => encoding !== '' && encoding !== 'identity')
  const [encoding] = encodings
  if (encoding === undefined) return response
  const decoder = encodings.length === 1 ? DECODERS.get(encoding) : undefined
  if (decoder === undefined) {
    const named = token(encodings.join(','), 64) ?? 'without a readable name'
    throw new ExecutionError('llm_protocol_error', 'headers', `unknown content encoding ${named}`)
  }
  return new DecodedBody(response, encoding, decoder)
}

class DecodedBody implements ByteSource, ByteSink {
  #sink: ByteSink | undefined
  #decoder: Transform | undefined
  #fault: unknown
  #isPaused = false
  /** all is decoded, or no more can be */
  #ended = false

  constructor(
    private readonly source: ByteSource,
    private readonly encoding: string,
    private readonly create: Decoder,
  ) {}

  listen(sink: ByteSink): void {
    this.#sink = sink
    this.source.listen(this)
  }

  pause(): void {
    this.#isPaused = true
    this.#decoder?.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#ended) this.#end(this.#fault)
    else this.#decoder?.resume()
  }

  close(): void {
    this.#sink = undefined
    this.#decoder?.destroy()
    this.source.close()
  }

  /** Of the encoded body: see `ByteSink`. */
  data(chunk: Buffer): void {
    this.#decoder ??= this.#open(this.create(chunk))
    if (!this.#decoder.write(chunk)) this.source.pause()
  }

  /** Of the encoded body: what came before it broke is still decoded. */
  end(fault?: unknown): void {
    this.#fault ??= fault
    const isGivenUp = fault instanceof TransportError && fault.fault === 'aborted'
    if (this.#decoder === undefined || isGivenUp) this.#end(fault)
    else this.#decoder.end()
  }

  #open(decoder: Transform): Transform {
    decoder.on('data', (chunk: Buffer) => this.#sink?.data(chunk))
    decoder.on('drain', () => this.source.resume())
    decoder.once('end', this.#onEnd)
    // Stays: without a listener an error after `close` would end the process.
    decoder.on('error', () => {
      const said = `the answer is no ${this.encoding}`
      this.#fault ??= new ExecutionError('llm_protocol_error', 'streaming', said)
      this.#onEnd()
    })
    return decoder
  }

  /** It comes also while the sink pauses, which then hears of it at its `resume`. */
  readonly #onEnd = (): void => {
    this.#ended = true
    if (!this.#isPaused) this.#end(this.#fault)
  }

  #end(fault: unknown): void {
    const sink = this.#sink
    this.#sink = undefined
    sink?.end(fault)
  }
}
