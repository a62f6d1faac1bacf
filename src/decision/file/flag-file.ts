import { bounded } from '../../core/bounded.js'
import type { Clock, Timer } from '../../core/clock.js'
import { scheduleDeadline } from '../../core/deadline.js'
import { errorText } from '../../core/errors.js'
import { KnownFile } from '../../core/files/known-file.js'
import { type FlagDocument, type FlagFileContent, readFlagFile } from '../read-flag-file.js'
import { DirectoryWatches } from './directory-watches.js'
import { watchPoints } from './watch-points.js'

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
/** ... at a document, which many replicas ask one server for and which tells its changes */
const DOCUMENT_POLL_MS = 5000
/** ms a look may take before it is told: a file system that hangs lets nobody see what is saved */
export const LOOK_MS = 1000
/** ms the end of the service waits for a look that is under way */
const CLOSE_MS = 500

export interface FlagFileOptions {
  readonly path: string
  /** is read and watched in place of a file; `path` is its name then */
  readonly document?: FlagDocument
  readonly clock: Clock
  readonly onContent: ContentListener
  /** A look at the file: what is wrong with it, or that nothing is any more. Told when that changes. */
  onTrouble(trouble: Trouble | undefined): void
  /** default: from the disk */
  readonly read?: (path: string) => Promise<FlagFileContent>
}

/** `late`: the look has not ended yet; `listener`: what was read could not be taken over, by a fault of ours. */
export type Trouble = { readonly kind: 'late' } | { readonly kind: 'listener'; readonly error: string }

/**
 * One flag file under watch: renames, in-place writes and swapped links reach the listener within milliseconds, a lost
 * watch within a second. Reads never overlap and an older content never follows a newer one: on a file system that hangs
 * one read a file waits, and holds one of the few threads that every other file and name look-up needs.
 */
export class FlagFile {
  readonly #watches = new DirectoryWatches(() => this.#stir())
  readonly #known: KnownFile<FlagFileContent>
  #content: FlagFileContent | undefined
  #looking: Promise<void> | undefined
  /** a look asked for while one was under way */
  #again: { settled: boolean } | undefined
  #stirredAt: number | undefined
  #quiet: Timer | undefined
  #settle: Timer | undefined
  #poll: Timer | undefined
  #trouble: string | undefined
  #forget: (() => void) | undefined
  #closed = false

  constructor(private readonly options: FlagFileOptions) {
    this.#known = new KnownFile(options.clock)
  }

  get path(): string {
    return this.options.path
  }

  /** Ends when the file was read once (whatever came of it) and is watched, or when that takes too long. Never rejects. */
  async start(): Promise<void> {
    const { clock, document } = this.options
    this.#forget = document?.watch(() => this.#stir())
    await bounded(this.#look(false), LOOK_MS, clock, scheduleDeadline)
    this.#schedulePoll()
  }

  /** The listener hears nothing any more; ends when no read is under way, or when one hangs. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of [this.#quiet, this.#settle, this.#poll]) timer?.cancel()
    this.#forget?.()
    this.#watches.close()
    if (this.#looking !== undefined) await bounded(this.#looking, CLOSE_MS, this.options.clock)
  }

  #stir(): void {
    if (this.#closed) return
    // A link may lead to the same file by another way, which is to be watched from now on.
    this.#known.forget()
    const now = this.options.clock.monotonic()
    this.#stirredAt ??= now
    this.#quiet?.cancel()
    const wait = Math.max(0, Math.min(QUIET_MS, this.#stirredAt + PATIENCE_MS - now))
    this.#quiet = this.options.clock.schedule(wait, () => {
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
    await this.#lookInTime(settled)
    for (let again = this.#again; again !== undefined && !this.#closed; again = this.#again) {
      this.#again = undefined
      await this.#lookInTime(again.settled)
    }
    this.#looking = undefined
  }

  /** One look, told while it is late, and guarded: what a listener throws must not end the looks, nor the process. */
  async #lookInTime(settled: boolean): Promise<void> {
    const late = scheduleDeadline(this.options.clock, LOOK_MS, () => this.#tell({ kind: 'late' }))
    try {
      await this.#lookOnce(settled)
      this.#tell(undefined)
    } catch (thrown) {
      this.#tell({ kind: 'listener', error: errorText(thrown) })
    } finally {
      late.cancel()
    }
  }

  #tell(trouble: Trouble | undefined): void {
    const now = trouble === undefined ? undefined : JSON.stringify(trouble)
    if (this.#closed || now === this.#trouble) return
    this.#trouble = now
    this.options.onTrouble(trouble)
  }

  async #lookOnce(settled: boolean): Promise<void> {
    const content = await this.#read()
    if (this.#closed) return
    const before = this.#content
    const isFirst = before === undefined
    const isNews = isFirst || !isSame(before, content)
    if (!isNews && !settled) return
    this.#content = content
    this.#settle?.cancel()
    const sure = isFirst || !isNews
    if (this.#tellContent(content, sure, before) === 'doubtful' && !sure)
      this.#settle = this.options.clock.schedule(SETTLE_MS, () => void this.#look(true))
  }

  async #read(): Promise<FlagFileContent> {
    const { path, document, read } = this.options
    if (document !== undefined) return document.read()
    if (read !== undefined) return this.#readWhole(read)
    // A watch that broke is set up again.
    if (!this.#watches.areWhole) this.#known.forget()
    return this.#known.read(path, () => this.#readWhole(readFlagFile))
  }

  async #readWhole(read: (path: string) => Promise<FlagFileContent>): Promise<FlagFileContent> {
    const { path } = this.options
    // The watch first: what changes after it makes one more look.
    const points = await watchPoints(path)
    if (!this.#closed) this.#watches.follow(points)
    return read(path)
  }

  /** What a listener threw at is news again at the next look. */
  #tellContent(content: FlagFileContent, sure: boolean, before: FlagFileContent | undefined): Reception {
    try {
      return this.options.onContent(content, sure)
    } catch (thrown) {
      this.#content = before
      throw thrown
    }
  }

  #schedulePoll(): void {
    if (this.#closed) return
    const pollMs = this.options.document === undefined ? POLL_MS : DOCUMENT_POLL_MS
    this.#poll = this.options.clock.schedule(pollMs, () => {
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
