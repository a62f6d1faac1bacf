import { timingSafeEqual } from 'node:crypto'
import type { Clock, Timer } from '../../core/clock.js'
import type { RedisLink } from '../../core/redis/redis-link.js'
import type { StreamLog } from '../stream/stream-log.js'
import { CopiedStreamLog } from './copied-stream-log.js'
import { FollowedStream } from './followed-stream.js'
import { findRemote, type RemoteStream } from './remote-streams.js'
import { createReplicaMessages, type ReplicaMessage, type ReplicaMessages } from './replica-messages.js'
import { streamKeys } from './stream-keys.js'

export interface FleetStreamsOptions {
  readonly link: RedisLink
  readonly clock: Clock
  /** of this process, unique among all */
  readonly replica: string
  readonly ids: { newId(): string }
}

/** Streams that can be read on any replica: each is copied into Redis by the one that writes it. */
export interface FleetStreams {
  readonly messages: ReplicaMessages
  /** The log of this replica, copied from now on. Once. */
  copying(own: StreamLog, tokenOf: (streamId: string) => string): StreamLog
  /** Undefined where there is no copy. @throws RedisUnavailable, RedisRefused */
  find(streamId: string): Promise<RemoteStream | undefined>
  /**
   * For one reader. While it lasts, the replica that writes the stream counts it as a reader of its own.
   * @param interrupted the text of the last event, where that replica died; never rejects
   */
  follow(
    remote: RemoteStream,
    after: number,
    interrupted: (id: number) => Promise<string>,
  ): { readonly stream: FollowedStream; end(): void }
  /** Messages of all replicas, from `start` to `close`. One listener. */
  onMessage(listener: (message: ReplicaMessage) => void): void
  start(): void
  /** Copies what waits, within a second: readers elsewhere get the ends of the last turns. Never rejects. */
  close(): Promise<void>
}

/** ms for which a sign of a reader counts, and between two of them */
const READING_MS = 6_000
const SIGN_MS = 2_000

export function createFleetStreams({ link, clock, replica, ids }: FleetStreamsOptions): FleetStreams {
  const keys = streamKeys(link.prefix)
  const messages = createReplicaMessages(link)
  let log: CopiedStreamLog | undefined
  let hear: (message: ReplicaMessage) => void = () => undefined
  let endHearing: () => void = () => undefined

  return {
    messages,
    copying(own, tokenOf) {
      log = new CopiedStreamLog({ own, link, keys, messages, clock, replica, tokenOf })
      return log
    },
    find: (streamId) => findRemote(streamId, link, keys),
    follow(remote, after, interrupted) {
      const stream = new FollowedStream({ remote, after, link, keys, clock, interrupted })
      const about = { streamId: remote.streamId, reader: ids.newId() }
      let timer: Timer | undefined
      const sign = (): void => {
        messages.tell({ kind: 'reading', ...about, ms: READING_MS })
        timer = clock.schedule(SIGN_MS, sign)
      }
      sign()
      return {
        stream,
        end() {
          timer?.cancel()
          messages.tell({ kind: 'left', ...about })
        },
      }
    },
    onMessage(listener) {
      hear = listener
    },
    start() {
      endHearing = messages.listen((message) => hear(message))
      log?.start()
    },
    async close() {
      endHearing()
      await log?.close()
    },
  }
}

/** Takes the same time however wrong the token is. */
export function isTokenOf(token: string, { token: expected }: Pick<RemoteStream, 'token'>): boolean {
  const [a, b] = [Buffer.from(token), Buffer.from(expected)]
  return expected !== '' && a.length === b.length && timingSafeEqual(a, b)
}
