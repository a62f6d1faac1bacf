/** What of HTTP/2's framing (RFC 9113) the policy needs. */
const PREFACE_BYTES = 24
const FRAME_HEADER_BYTES = 9
const TYPE = { data: 0x0, headers: 0x1, ping: 0x6, goaway: 0x7 } as const
const FLAG_ACK = 0x1
const ENHANCE_YOUR_CALM = 0xb
const LAST_STREAM_ID = 0x7f_ff_ff_ff

/** pings too early before the connection ends: as grpc-go, on which flagd is built */
const MAX_STRIKES = 2

export interface FrameHead {
  readonly type: number
  readonly flags: number
}

/** Reads the heads of the frames in one direction of an HTTP/2 connection, however its bytes are cut. */
export class FrameReader {
  #skip: number
  #head: number[] = []

  constructor(from: 'client' | 'server') {
    this.#skip = from === 'client' ? PREFACE_BYTES : 0
  }

  /** The bytes so far end with a whole frame. */
  get isBetweenFrames(): boolean {
    return this.#skip === 0 && this.#head.length === 0
  }

  /** Heads of the frames that begin in these bytes, or end their head in them. */
  read(bytes: Uint8Array): FrameHead[] {
    const heads: FrameHead[] = []
    for (let at = 0; at < bytes.length; ) {
      const skipped = Math.min(this.#skip, bytes.length - at)
      this.#skip -= skipped
      at += skipped
      const byte = bytes[at]
      if (byte === undefined) break
      this.#head.push(byte)
      at += 1
      if (this.#head.length < FRAME_HEADER_BYTES) continue
      const [high = 0, middle = 0, low = 0, type = 0, flags = 0] = this.#head
      this.#skip = high * 0x1_00_00 + middle * 0x1_00 + low
      this.#head = []
      heads.push({ type, flags })
    }
    return heads
  }
}

/**
 * How often a client may ping, as grpc-go enforces it on flagd's sync service: the third ping in less than `minMs` after
 * the one before is one too many; an answer in between forgives them. Pure; `now` in ms.
 */
export class PingPolicy {
  #lastAt = Number.NEGATIVE_INFINITY
  #strikes = 0
  #answered = false

  constructor(private readonly minMs: number) {}

  /** Frames of the server: data or headers forgive. */
  sent(frames: readonly FrameHead[]): void {
    if (frames.some(({ type }) => type === TYPE.data || type === TYPE.headers)) this.#answered = true
  }

  /** Frames of the client; true if it pinged too often. */
  isTooMany(frames: readonly FrameHead[], now: number): boolean {
    for (const frame of frames) if (isPing(frame)) this.#ping(now)
    return this.#strikes > MAX_STRIKES
  }

  #ping(now: number): void {
    if (this.#answered) this.#strikes = 0
    else if (now - this.#lastAt < this.minMs) this.#strikes += 1
    this.#answered = false
    this.#lastAt = now
  }
}

export function isPing({ type, flags }: FrameHead): boolean {
  return type === TYPE.ping && (flags & FLAG_ACK) === 0
}

/** The frame that ends a connection for its pings. */
export function tooManyPings(): Buffer {
  const text = Buffer.from('too_many_pings', 'ascii')
  const payload = Buffer.alloc(8)
  payload.writeUInt32BE(LAST_STREAM_ID, 0)
  payload.writeUInt32BE(ENHANCE_YOUR_CALM, 4)
  const head = Buffer.alloc(FRAME_HEADER_BYTES)
  head.writeUIntBE(payload.length + text.length, 0, 3)
  head.writeUInt8(TYPE.goaway, 3)
  return Buffer.concat([head, payload, text])
}
