import { applyEdits, type FormattingOptions, type JSONPath, modify } from 'jsonc-parser'
import type { Bilingual } from '../core/bilingual.js'
import { isJsonFault, parseJsonTree } from '../core/json/json-tree.js'
import type { FlagChange } from '../protocol/flag-edit-record.js'
import { isEqual, isTextList, OpsDocument } from './ops-document.js'

/** items of a list that are changed one by one: each costs a look through the file, 0.7 ms of the event loop's time */
const MAX_SINGLE_ITEMS = 50

/** characters of a line to which a list may grow that stands on one */
const MAX_LINE = 100

type ListEnd = NonNullable<ReturnType<OpsDocument['endOfList']>>

/** What is to be changed is not in a form that an edit may touch. */
export class EditRefused extends Error {
  override readonly name = 'EditRefused'

  constructor(
    readonly path: string,
    readonly said: Bilingual,
  ) {
    super(said.en)
  }
}

/** Makes one change after the other, and keeps what changed. */
export class DocumentEditor {
  readonly changes: FlagChange[] = []
  document: OpsDocument
  readonly #formatting: FormattingOptions

  constructor(public text: string) {
    this.document = parsed(text)
    this.#formatting = formattingOf(text)
  }

  /** undefined removes */
  set(path: JSONPath, value: unknown): void {
    const before = this.document.at(path)
    if (isEqual(before, value)) return
    this.#apply(path, value)
    this.#changed(path, before, value)
  }

  /**
   * A list of texts, whose order says nothing, in place of another one: items that stay are not touched, unless so many
   * change that the list is written again.
   */
  setList(path: JSONPath, wanted: readonly string[]): void {
    const before = this.document.at(path)
    if (!isTextList(before)) {
      this.set(path, wanted)
      return
    }
    const keep = new Set(wanted)
    const present = new Set(before)
    const stay = [...present].filter((item) => keep.has(item))
    const added = [...keep].filter((item) => !present.has(item))
    const items = before.length - stay.length + added.length
    if (items === 0) return
    if (items > MAX_SINGLE_ITEMS) {
      this.set(path, [...stay, ...added])
      return
    }
    for (let at = before.length - 1; at >= 0; at -= 1)
      if (!keep.has(before[at] ?? '') || before.indexOf(before[at] ?? '') < at) this.#removeItem(path, at)
    let length = stay.length
    for (const item of added) {
      this.#addItem(path, length, item)
      length += 1
    }
    this.#changed(path, before, this.document.at(path))
  }

  /** @throws EditRefused */
  refuse(path: JSONPath, said: Bilingual): never {
    throw new EditRefused(this.document.nameOf(path), said)
  }

  #apply(path: JSONPath, value: unknown): void {
    const obstacle = this.document.obstacleTo(path)
    if (obstacle !== undefined)
      this.refuse(obstacle, {
        en: 'has another form than this service writes; edit the file by hand',
        'zh-CN': '不是本服务写入的形式，请直接修改文件',
      })
    const edits = modify(this.text, path, value, { formattingOptions: this.#formatting })
    this.text = applyEdits(this.text, edits)
    this.document = parsed(this.text)
  }

  /** In the form of the list: on its line while that is not too long, or on one of its own as those before it. */
  #addItem(list: JSONPath, index: number, item: string): void {
    const place = this.document.endOfList(list)
    const content = place === undefined ? undefined : this.#contentOfItem(place, item)
    if (place === undefined || content === undefined) {
      this.#apply([...list, index], item)
      return
    }
    this.text = applyEdits(this.text, [{ offset: place.offset, length: 0, content }])
    this.document = parsed(this.text)
  }

  /** Undefined if the list has to be broken into lines. */
  #contentOfItem({ before, start, end }: ListEnd, item: string): string | undefined {
    const json = JSON.stringify(item)
    const isOneLine = !this.text.slice(start, end).includes('\n')
    if (isOneLine) {
      const line = this.text.slice(this.text.lastIndexOf('\n', start) + 1, end)
      if (line.length + json.length + 2 > MAX_LINE) return undefined
      return before === undefined ? json : `, ${json}`
    }
    if (before === undefined) return undefined
    return `,${this.text.slice(before.from, before.to).replace(',', '')}${json}`
  }

  /** Not by `modify`: it breaks a list that stands on one line where the last item goes. */
  #removeItem(list: JSONPath, index: number): void {
    const span = this.document.spanOfItem(list, index)
    if (span === undefined) return
    this.text = applyEdits(this.text, [{ ...span, content: '' }])
    this.document = parsed(this.text)
  }

  #changed(path: JSONPath, before: unknown, after: unknown): void {
    this.changes.push({
      path: this.document.nameOf(path),
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    })
  }
}

/** @throws never for a text that `checkFlagDocument` found to be JSON */
function parsed(text: string): OpsDocument {
  const root = parseJsonTree(text)
  if (isJsonFault(root)) throw new Error(`an edit broke the document: ${root.message.en}`)
  return new OpsDocument(root)
}

/** As the file is written: the indentation of its first indented line. Its line ends are found by the library. */
function formattingOf(text: string): FormattingOptions {
  const indent = /\n([ \t]+)\S/.exec(text)?.[1] ?? '  '
  const insertSpaces = !indent.startsWith('\t')
  return { insertSpaces, tabSize: insertSpaces ? indent.length : 1 }
}
