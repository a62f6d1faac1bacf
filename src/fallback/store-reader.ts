import type { FlagStore, Stored } from '../store/flag-store.js'
import { type ParsedOverride, parseOverride } from '../store/override-document.js'
import type { StoreSeen } from './state.js'

/** The override's file as the machine takes it, with its text for the next rendering. Parsed once for each content. */
export class StoreReader {
  #parsed: { readonly hash: string; readonly value: ParsedOverride } | undefined

  constructor(private readonly store: FlagStore) {}

  async read(): Promise<{ readonly seen: StoreSeen; readonly text?: string }> {
    const stored = await this.store.read()
    return { seen: this.#seen(stored), ...(stored.kind === 'text' ? { text: stored.text } : {}) }
  }

  #seen(stored: Stored): StoreSeen {
    if (stored.kind !== 'text') return stored
    const { hash, text } = stored
    if (this.#parsed?.hash !== hash) this.#parsed = { hash, value: parseOverride(text) }
    const { value } = this.#parsed
    switch (value.kind) {
      case 'override':
        return { kind: 'override', hash, override: value.override }
      case 'hand_edit':
        return {
          kind: 'hand_edit',
          hash,
          edit: value.edit,
          ...(value.override === undefined ? {} : { override: value.override }),
        }
      case 'unparsable':
        return { kind: 'unparsable', hash, detail: value.detail }
    }
  }
}
