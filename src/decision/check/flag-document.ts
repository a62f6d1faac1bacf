import type { JSONPath, Node } from 'jsonc-parser'
import type { Bilingual } from '../../core/bilingual.js'
import { inObjectForm, twice } from '../../core/json/flag-list.js'
import { duplicateKeys, isJsonFault, parseJsonTree, positionOf } from '../../core/json/json-tree.js'

/** One thing wrong in a flag file. */
export interface FlagIssue {
  /** both 1-based */
  readonly line: number
  readonly column: number
  /** where in the document, as `flags.chat-execution-mode.state`; empty for the document itself */
  readonly path: string
  readonly message: string
  /** the message in Chinese */
  readonly zh: string
  /** an `error` is refused by a daemon, a provider or this service, or means something else than what is written; a `warning` is only odd */
  readonly severity: 'error' | 'warning'
  /** what an error keeps from being taken over: the whole file, one flag of it, or nothing: it is in effect as written */
  readonly refuses: 'file' | 'flag' | 'nothing'
}

/** A flag file that parses as strict JSON, with the places of its parts; its flags as an object, however written. */
export interface FlagDocument {
  readonly text: string
  readonly root: Node
}

/** Collects issues by the node they are about. */
export class IssueList {
  readonly #found: (FlagIssue & { readonly offset: number })[] = []

  constructor(private readonly text: string) {}

  add(offset: number, path: JSONPath, message: Bilingual, refuses: 'file' | 'flag' = 'file'): void {
    this.#push(offset, path, message, 'error', refuses)
  }

  /** Taken by everybody without a word, and certainly not meant so. */
  suspect(offset: number, path: JSONPath, message: Bilingual): void {
    this.#push(offset, path, message, 'error', 'nothing')
  }

  warn(offset: number, path: JSONPath, message: Bilingual): void {
    this.#push(offset, path, message, 'warning', 'nothing')
  }

  /** Whether something that refuses the file is known at `path` or beneath it. */
  refusesWithin(path: JSONPath): boolean {
    const wanted = path.join('.')
    return this.#found.some(
      ({ path: at, refuses }) =>
        refuses === 'file' && (wanted === '' || at === wanted || at.startsWith(`${wanted}.`)),
    )
  }

  /** In the order of the text. */
  sorted(): FlagIssue[] {
    return [...this.#found].sort((a, b) => a.offset - b.offset).map(({ offset: _, ...issue }) => issue)
  }

  #push(
    offset: number,
    path: JSONPath,
    message: Bilingual,
    severity: FlagIssue['severity'],
    refuses: FlagIssue['refuses'],
  ): void {
    this.#found.push({
      ...positionOf(this.text, offset),
      path: path.join('.'),
      message: message.en,
      zh: message['zh-CN'],
      severity,
      refuses,
      offset,
    })
  }
}

/** `undefined` when the text is no strict JSON; `issues` says why. */
export function parseFlagDocument(text: string, issues: IssueList): FlagDocument | undefined {
  const root = parseJsonTree(text)
  if (isJsonFault(root)) {
    issues.add(root.offset, [], root.message)
    return undefined
  }
  const { root: inObjects, faults } = inObjectForm(root)
  for (const { offset, path, message } of faults) issues.add(offset, path, message)
  for (const { path, keyNode } of duplicateKeys(inObjects))
    issues.add(keyNode.offset, path, twice(String(keyNode.value)))
  return { text, root: inObjects }
}
