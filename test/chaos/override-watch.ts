import { readFileSync, statSync } from 'node:fs'
import { errorCode } from '../../src/core/errors.js'
import { flagdRefusal } from '../../src/store/override/flagd-check.js'
import type { Override } from '../../src/store/override/override.js'
import { parseOverride } from '../../src/store/override/override-document.js'

/** One content of the override's file, and when it was first seen (ms, `performance.now()`). */
export interface Sight {
  readonly at: number
  readonly text: string
  /** absent where it is no replica's document */
  readonly override?: Override
}

/** Contents of the override as they were seen: each has to be whole, signed and valid against flagd's own schema. */
export class OverrideSights {
  readonly sights: Sight[] = []
  readonly faults: string[] = []
  readonly #expected = new Set<string>()

  /** A content that the row itself is about to put there; `undefined`: no file. */
  expect(text: string | undefined): void {
    this.#expected.add(text ?? MISSING)
  }

  /** It is there now. */
  protected see(text: string): void {
    const at = performance.now()
    if (text === this.sights.at(-1)?.text) return
    const parsed = parseOverride(text)
    this.sights.push({ at, text, ...(parsed.kind === 'override' ? { override: parsed.override } : {}) })
    if (this.#expected.has(text)) return
    if (text === MISSING) this.#fault('the file was missing')
    else if (parsed.kind !== 'override') this.#fault(`${parsed.kind}: ${text.slice(0, 80)}`)
    const refusal = text === MISSING ? undefined : flagdRefusal(text)
    if (refusal !== undefined) this.#fault(`flagd would refuse it: ${refusal.message}`)
  }

  /** The first sight since then whose override is so. */
  first(since: number, holds: (override: Override) => boolean): Sight | undefined {
    return this.sights.find(({ at, override }) => at >= since && override !== undefined && holds(override))
  }

  get last(): Override | undefined {
    return this.sights.at(-1)?.override
  }

  #fault(text: string): void {
    if (this.faults.length < 10) this.faults.push(text)
  }
}

/** Looks at the override's file all the time. */
export class OverrideWatch extends OverrideSights {
  #version = ''
  #timer: NodeJS.Timeout | undefined

  constructor(private readonly path: string) {
    super()
  }

  start(everyMs: number): void {
    this.look()
    this.#timer = setInterval(() => this.look(), everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.look()
  }

  /** Now, out of turn. */
  look(): void {
    const version = versionOf(this.path)
    if (version === this.#version) return
    this.#version = version
    this.see(textOf(this.path))
  }

  /** The file's text; undefined where there is none. */
  readNow(): string | undefined {
    const text = textOf(this.path)
    return text === MISSING ? undefined : text
  }
}

const MISSING = '\0missing'

function versionOf(path: string): string {
  try {
    const { ino, mtimeNs, ctimeNs, size } = statSync(path, { bigint: true })
    return `${ino}:${mtimeNs}:${ctimeNs}:${size}`
  } catch (thrown) {
    return errorCode(thrown) ?? 'failed'
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return MISSING
  }
}
