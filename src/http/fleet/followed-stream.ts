import type { Clock, Timer } from '../../core/clock.js'
import type { RedisLink } from '../../core/redis/redis-link.js'
import type { KeptStream, StreamOwner, StreamPiece } from '../stream/stream-log.js'
import { type RemotePiece, type RemoteStream, readRemote } from './remote-streams.js'
import { ALIVE_MS, type StreamKeys } from './stream-keys.js'

export interface FollowedStreamOptions {
  readonly remote: RemoteStream
  /** id of the last event that the reader has seen */
  readonly after: number
  readonly link: RedisLink
  readonly keys: StreamKeys
  readonly clock: Clock
  /** The text of the last event, where the replica that wrote the stream died. Never rejects. */
  interrupted(id: number): Promise<string>
}

/** ms between two looks where no news come: they may be lost */
const LOOK_MS = 1_000

/** A stream of another replica for one reader: what is in Redis, and what comes. Holds what one answer brought, no more. */
export class FollowedStream implements KeptStream {
  readonly streamId: string
  readonly sessionId: string
  readonly owner: StreamOwner
  #pieces: RemotePiece[] = []
  /** of the last event read from Redis */
  #readId: number
  #state: 'running' | 'over' | 'given_up' = 'running'
  #isStopped = false
  #wake: () => void = () => undefined
  #timer: Timer | undefined
  #endNews: () => void = () => undefined

  constructor(private readonly options: FollowedStreamOptions) {
    const { streamId, sessionId, owner } = options.remote
    this.streamId = streamId
    this.sessionId = sessionId
    this.owner = owner
    this.#readId = options.after
  }

  get lastId(): number {
    return this.#readId
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  after(id: number): StreamPiece | 'given_up' | undefined {
    while (this.#pieces[0] !== undefined && this.#pieces[0].lastId <= id) this.#pieces.shift()
    const piece = this.#pieces[0]
    if (piece === undefined) return this.#state === 'given_up' ? 'given_up' : undefined
    if (piece.before > id) return 'given_up'
    return { text: piece.text.slice(endOfEvents(piece.text, id - piece.before)), lastId: piece.lastId }
  }

  /**
   * Reads until the stream is over, or `stop`. Never rejects.
   * @param deliver hands on what is there; resolves when the reader takes more
   */
  async follow(deliver: () => Promise<void>): Promise<void> {
    const { link, keys, clock, remote } = this.options
    let failingSince: number | undefined
    let isDue = true
    let wake: () => void = () => undefined
    this.#endNews = link.subscribe(keys.news(remote.streamId), () => {
      isDue = true
      wake()
    })
    this.#wake = () => wake()
    try {
      while (!this.#isStopped && this.#state === 'running') {
        isDue = false
        const found = await readRemote(remote, this.#readId, link, keys).catch(() => undefined)
        if (found === undefined) {
          failingSince ??= clock.monotonic()
          // Its reader comes back, and is told.
          if (clock.monotonic() - failingSince >= ALIVE_MS) this.#state = 'given_up'
        } else {
          failingSince = undefined
          await this.#take(found)
        }
        if (this.#pieces.length > 0 || this.#state !== 'running') await deliver()
        else if (!isDue && !this.#isStopped)
          await new Promise<void>((resolve) => {
            wake = resolve
            this.#timer = clock.schedule(LOOK_MS, resolve)
          })
        this.#timer?.cancel()
      }
    } finally {
      this.#endNews()
    }
  }

  /** The reader is gone. */
  stop(): void {
    this.#isStopped = true
    this.#wake()
  }

  async #take({ pieces, isKept, isAlive }: Awaited<ReturnType<typeof readRemote>>): Promise<void> {
    for (const piece of pieces) {
      if (piece.end === 'given_up') {
        this.#state = 'given_up'
        return
      }
      this.#pieces.push(piece)
      this.#readId = piece.lastId
      if (piece.end === 'ended') this.#state = 'over'
    }
    if (pieces.length > 0) return
    if (!isKept) this.#state = 'given_up'
    else if (!isAlive) await this.#interrupt()
  }

  /** The end that its own replica can tell nobody any more. */
  async #interrupt(): Promise<void> {
    const id = this.#readId + 1
    const text = await this.options.interrupted(id)
    this.#pieces.push({ text, before: this.#readId, lastId: id, end: 'ended' })
    this.#readId = id
    this.#state = 'over'
  }
}

/** Where so many events end: an event ends in an empty line, and has none within. */
function endOfEvents(text: string, count: number): number {
  let at = 0
  for (let n = 0; n < count; n += 1) at = text.indexOf('\n\n', at) + 2
  return at
}
