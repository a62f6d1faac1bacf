import { closeSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A person who edits the operators' file by hand, and remembers what was saved last. */
export class Human {
  #saved: string
  #edits = 0

  constructor(private readonly path: string) {
    this.#saved = readFileSync(path, 'utf8')
  }

  /** Every byte that was saved last is there. */
  get isKept(): boolean {
    return readFileSync(this.path, 'utf8') === this.#saved
  }

  /** Sets the guardrails, the limits and the mode, as before a drill. */
  prepare(guardrails: object, limits: object = {}): void {
    const document: OpsDocument = JSON.parse(this.#saved)
    const mode = document.flags['chat-execution-mode']
    if (mode !== undefined) mode.defaultVariant = 'runtime_orchestrator'
    const standard = document.flags['chat-runtime-guardrails']?.variants.standard
    if (standard !== undefined) Object.assign(standard, guardrails)
    Object.assign(document.flags['chat-limits']?.variants.standard ?? {}, limits)
    this.save(`${JSON.stringify(document, null, 2)}\n`)
  }

  /** A remark in the file: changes nothing that is decided. By turns saved in place and by rename, as editors do. */
  remark(): void {
    this.#edits += 1
    const remark = `"owner": "operations, edit ${this.#edits}"`
    this.save(this.#saved.replace(/"owner": "[^"]*"/, remark), this.#edits % 2 === 0)
  }

  save(text: string, byRename = false): void {
    this.#saved = text
    saveText(this.path, text, byRename)
  }

  /** Saved in pieces: half of it is there for a while. */
  async saveSlowly(text: string, ms: number): Promise<void> {
    this.#saved = text
    await saveInPieces(this.path, text, ms)
  }

  get text(): string {
    return this.#saved
  }
}

interface OpsDocument {
  flags: Record<string, { defaultVariant: string | null; variants: Record<string, object> }>
}

export function saveText(path: string, text: string, byRename = false): void {
  writeFileSync(byRename ? `${path}.edit` : path, text)
  if (byRename) renameSync(`${path}.edit`, path)
}

/** In place, with half of it there for a while. */
export async function saveInPieces(path: string, text: string, ms: number): Promise<void> {
  const file = openSync(path, 'w')
  try {
    writeSync(file, text.slice(0, text.length / 2))
    await sleep(ms)
    writeSync(file, text.slice(text.length / 2))
  } finally {
    closeSync(file)
  }
}
