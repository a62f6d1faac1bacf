/** What a body feeds. */
export interface ByteSink {
  /** One network read. After `pause` nothing comes before `resume`. */
  data(chunk: Buffer): void
  /** Called once, with the fault where it broke; waits for `resume` as data does, unless we gave it up ourselves. */
  end(fault?: unknown): void
}

/** The bytes of a body. Nothing is read before `listen`; a slow sink slows the upstream. */
export interface ByteSource {
  /** Once. `end` may come from within. */
  listen(sink: ByteSink): void
  pause(): void
  resume(): void
  /** Nothing more is wanted: what is held of ours is freed. */
  close(): void
}
