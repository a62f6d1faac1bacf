import { readFileSync } from 'node:fs'
import type { Clock, Timer } from '../../core/clock.js'
import { errorCode } from '../../core/errors.js'
import { DirectoryWatch, directoriesOf } from './flagd-directories.js'

// A file that is away longer is not watched any more by flagd's fsnotify ("a few seconds", measured on 0.16.1).
const GONE_FOR_GOOD_MS = 3000

interface WatchedFile {
  text: string
  gone: Timer | undefined
  lost: boolean
}

/**
 * The flag files as flagd's fsnotify provider sees them: `onText` gets a file's whole text whenever it is another one
 * (rename, write in place, swapped link), never for a file that is missing. Reads are synchronous: the files are small
 * and nothing can come between an event and its text.
 */
export class FlagFiles {
  readonly #files = new Map<string, WatchedFile>()
  readonly #directories: DirectoryWatch
  readonly #onText: (file: string, text: string) => void
  readonly #clock: Clock
  #deaf = false

  constructor(files: readonly string[], clock: Clock, onText: (file: string, text: string) => void) {
    this.#clock = clock
    this.#onText = onText
    this.#directories = new DirectoryWatch(() => this.#refresh())
    for (const file of files) this.#files.set(file, { text: '', gone: undefined, lost: false })
  }

  /** Reads all files in the order given, then follows them. Throws one message that names every unreadable file. */
  start(): void {
    const faults = [...this.#files.keys()].map(unreadable).filter((fault) => fault !== undefined)
    if (faults.length > 0) throw new Error(faults.join('; '))
    this.#cover()
    for (const [file, watched] of this.#files) {
      watched.text = textOf(file) ?? ''
      this.#onText(file, watched.text)
    }
  }

  /** `true`: no change is seen, the lost watch. `false`: as after a restart, all files are read again. */
  setDeaf(deaf: boolean): void {
    if (this.#deaf === deaf) return
    this.#deaf = deaf
    if (deaf) return
    for (const watched of this.#files.values()) watched.lost = false
    this.#refresh()
  }

  close(): void {
    this.#directories.close()
    for (const watched of this.#files.values()) watched.gone?.cancel()
  }

  #cover(): void {
    this.#directories.cover(new Set([...this.#files.keys()].flatMap((file) => [...directoriesOf(file)])))
  }

  #refresh(): void {
    if (this.#deaf) return
    this.#cover()
    for (const [file, watched] of this.#files) if (!watched.lost) this.#read(file, watched)
  }

  #read(file: string, watched: WatchedFile): void {
    const text = textOf(file)
    if (text === undefined) {
      watched.gone ??= this.#clock.schedule(GONE_FOR_GOOD_MS, () => {
        watched.lost = true
      })
      return
    }
    watched.gone?.cancel()
    watched.gone = undefined
    if (text === watched.text) return
    watched.text = text
    this.#onText(file, text)
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function unreadable(file: string): string | undefined {
  try {
    readFileSync(file)
    return undefined
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return `flag file not found: ${file}`
    return `flag file not readable: ${file} (${errorCode(error) ?? 'unknown'})`
  }
}
