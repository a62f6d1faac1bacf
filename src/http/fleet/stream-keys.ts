/** Keys of the copies in Redis. What one command or one pipeline touches together has one hash tag, so one node of a Cluster has it. */
export interface StreamKeys {
  /** hash: whose stream it is, and which replica writes it */
  about(streamId: string): string
  /** Redis stream: pieces of the events, by the id of the last event in each */
  events(streamId: string): string
  /** set: the streams of a session */
  ofSession(sessionId: string): string
  /** there while the replica lives */
  alive(replica: string): string
  /** channel: something was added to a stream */
  news(streamId: string): string
}

export function streamKeys(prefix: string): StreamKeys {
  return {
    about: (streamId) => `${prefix}:{${streamId}}:about`,
    events: (streamId) => `${prefix}:{${streamId}}:events`,
    ofSession: (sessionId) => `${prefix}:{${sessionId}}:streams`,
    alive: (replica) => `${prefix}:{${replica}}:alive`,
    news: (streamId) => `${prefix}:{${streamId}}:news`,
  }
}

/** ms for which a copy is kept after its stream's end */
export const RETAIN_MS = 300_000
/** ms for which the copy of a running stream is kept without a word of its replica; renewed in half the time */
export const RUNNING_MS = 600_000
/** ms after which a replica that says nothing counts as dead: as long as a session's reservation */
export const ALIVE_MS = 15_000
