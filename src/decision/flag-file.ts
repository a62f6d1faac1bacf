import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Clock, Timer } from '../core/clock.js'
import { errorCode, errorText } from '../core/errors.js'
import { DirectoryWatches } from './directory-watches.js'
import { watchPoints } from './watch-points.js'

/** What a look at the file found. */
export type FlagFileContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable'; readonly message: string }

/** `doubtful`: it may be a save in progress (torn, empty, gone for a moment); the file is looked at again shortly. */
export type Reception = 'taken' | 'doubtful'

/** Gets each new content. `settled`: it is still the same after a while, so it is meant so. */
export type ContentListener = (content: FlagFileContent, settled: boolean) => Reception

/** ms of quiet after an event before the file is read: one save makes several events */
const QUIET_MS = 2
/** ms after which it is read although events keep coming */
const PATIENCE_MS = 20
/** ms a doubtful content has to stay before it counts */
const SETTLE_MS = 150
/** ms between two looks without an event: watches get lost, and network file systems have none */
const POLL_MS = 1000
/** bytes; flagd's sync takes no larger message either */
const MAX_BYTES = 4 * 1024 * 1024

/**
 * One flag file under watch: renames, in-place writes and swapped links reach the listener within milliseconds, a lost
 * watch within a second. Reads never overlap and an older content never follows a newer one.
 */
export class FlagFile {
  readonly #watches = new DirectoryWatches(() => this.#stir())
  #content: FlagFileContent | undefined
  #looking: Promise<void> | undefined
  /** a look asked for while one was under way */
  #again: { settled: boolean } | undefined
  #stirredAt: number | undefined
  #quiet: Timer | undefined
  #settle: Timer | undefined
  #poll: Timer | undefined
  #closed = false

  constructor(
    readonly path: string,
    private readonly clock: Clock,
    private readonly listener: ContentListener,
  ) {}

  /** Ends when the file was read once (whatever came of it) and is watched. Never rejects. */
  async start(): Promise<void> {
    await this.#look(false)
    this.#schedulePoll()
  }

  /** The listener hears nothing any more; ends when no read is under way. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of [this.#quiet, this.#settle, this.#poll]) timer?.cancel()
    this.#watches.close()
    await this.#looking
  }

  #stir(): void {
    if (this.#closed) return
    const now = this.clock.monotonic()
    this.#stirredAt ??= now
    this.#quiet?.cancel()
    const wait = Math.max(0, Math.min(QUIET_MS, this.#stirredAt + PATIENCE_MS - now))
    this.#quiet = this.clock.schedule(wait, () => {
      this.#stirredAt = undefined
      void this.#look(false)
    })
  }

  /** Single flight: a wish to look during a look is one more look after it. */
  #look(settled: boolean): Promise<void> {
    if (this.#looking === undefined) this.#looking = this.#lookUntilDone(settled)
    else this.#again = { settled: settled || this.#again?.settled === true }
    return this.#looking
  }

  async #lookUntilDone(settled: boolean): Promise<void> {
    await this.#lookOnce(settled)
    for (let again = this.#again; again !== undefined && !this.#closed; again = this.#again) {
      this.#again = undefined
      await this.#lookOnce(again.settled)
    }
    this.#looking = undefined
  }

  async #lookOnce(settled: boolean): Promise<void> {
    // The watch first: what changes after it makes one more look.
    const points = await watchPoints(this.path)
    if (this.#closed) return
    this.#watches.follow(points)
    const content = await readContent(this.path)
    if (this.#closed) return
    const isFirst = this.#content === undefined
    const isNews = this.#content === undefined || !isSame(this.#content, content)
    if (!isNews && !settled) return
    this.#content = content
    this.#settle?.cancel()
    const sure = isFirst || !isNews
    if (this.listener(content, sure) === 'doubtful' && !sure)
      this.#settle = this.clock.schedule(SETTLE_MS, () => void this.#look(true))
  }

  #schedulePoll(): void {
    if (this.#closed) return
    this.#poll = this.clock.schedule(POLL_MS, () => {
      void this.#look(false)
      this.#schedulePoll()
    })
  }
}

function isSame(a: FlagFileContent, b: FlagFileContent): boolean {
  if (a.kind === 'text') return b.kind === 'text' && a.text === b.text
  if (a.kind === 'unreadable') return b.kind === 'unreadable' && a.message === b.message
  return b.kind === 'missing'
}

async function readContent(path: string): Promise<FlagFileContent> {
  try {
    // Without waiting: opening a pipe that nobody writes to would hang, and the end of the service with it.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      const found = await file.stat()
      if (!found.isFile()) return { kind: 'unreadable', message: 'it is no file' }
      if (found.size > MAX_BYTES) return { kind: 'unreadable', message: `larger than ${MAX_BYTES} bytes` }
      return { kind: 'text', text: await file.readFile('utf8') }
    } finally {
      await file.close()
    }
  } catch (thrown) {
    const code = errorCode(thrown)
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' }
    return { kind: 'unreadable', message: code ?? errorText(thrown) }
  }
}
