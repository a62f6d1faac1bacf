/** What Redis answers, as its protocol has it. */
export type RedisReply = string | number | null | readonly RedisReply[]

/** Redis did not answer in time, or cannot be reached. Nobody's request fails for that. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'

  constructor(why: string) {
    super(`Redis is not available: ${why}`)
  }
}

/** Redis answered with an error. */
export class RedisRefused extends Error {
  override readonly name = 'RedisRefused'
}

/** How the link reaches one server, a master behind Sentinels, or a Cluster; none of it has a deadline of its own. */
export interface RedisConnection {
  /** it is lost for good, and is to be replaced */
  readonly isBroken: boolean
  connect(): Promise<void>
  /** @param key decides the node of a Cluster; undefined for a command without one */
  send(key: string | undefined, args: readonly string[]): Promise<unknown>
  publish(channel: string, message: string): Promise<void>
  subscribe(channel: string, listener: (message: string) => void): Promise<void>
  unsubscribe(channel: string): Promise<void>
  /** Ends all connections at once; what is under way fails. */
  destroy(): void
}

/** Commands to Redis with a deadline each. Nothing waits for a connection: without one a call fails at once. */
export interface RedisLink {
  /** it answered last, and in time */
  readonly isUp: boolean
  /** calls that failed since the start: no answer in time, or no connection */
  readonly failures: number
  /** of keys and channels */
  readonly prefix: string
  /** Connects in the background, and again whenever the connection is lost. Never throws. */
  start(): void
  /**
   * Calls of one round of the event loop go out in one write.
   * @param key its hash tag `{…}` decides the node of a Cluster
   * @throws RedisUnavailable, RedisRefused
   */
  call(key: string, ...args: readonly string[]): Promise<RedisReply>
  /** @throws RedisUnavailable */
  publish(channel: string, message: string): Promise<void>
  /**
   * Hears a channel, as soon as there is a connection and after each reconnect. Messages sent while there is none are lost.
   * @returns ends it
   */
  subscribe(channel: string, listener: (message: string) => void): () => void
  /** Called each time Redis answers again. @returns ends it */
  onUp(listener: () => void): () => void
  /** Ends within the deadline of a call. */
  close(): Promise<void>
}
