/** Whose stream it is, and of which conversation. */
export interface StreamOwner {
  readonly orgId: string
  readonly userId: string
}

/** One or more whole events of a stream, as they went out. */
export interface StreamPiece {
  readonly text: string
  /** id of its last event */
  readonly lastId: number
}

/** What is kept of one stream. */
export interface KeptStream {
  readonly streamId: string
  readonly sessionId: string
  readonly owner: StreamOwner
  /** of the newest event; 0 before the first */
  readonly lastId: number
  /** its terminal event is there, or nothing of it can be read any more */
  readonly isOver: boolean
  /**
   * What follows the event with this id: one piece, or undefined while there is none. `given_up`: memory was short, or the turn
   * was cancelled, so that something after this id is missing.
   */
  after(id: number): StreamPiece | 'given_up' | undefined
}

/** Writes one stream into the log. */
export interface StreamWriter {
  readonly kept: KeptStream
  /** Whole events; kept as they were sent, for all readers. */
  append(text: string, lastId: number): void
  /** After the terminal event. */
  end(): void
  /** The stream ends without a terminal event: nobody can read it to its end. */
  giveUp(): void
}

/**
 * The newest events of the streams, running ones and those that have just ended, so that a reader can go on where it was. Bounded:
 * what is over a stream's share is given up from its beginning; what is over the share of all, from the stream that ended first.
 */
export interface StreamLog {
  open(stream: {
    readonly streamId: string
    readonly sessionId: string
    readonly owner: StreamOwner
  }): StreamWriter
  /** Undefined for a stream that was never here, and for one that ended long ago. */
  find(streamId: string): KeptStream | undefined
  /** Nothing of this session's streams is left; of one that still runs, nothing of what has come so far. */
  erase(sessionId: string): void
}
