import { hash } from 'node:crypto'
import { changedByEdit } from '../../decision/check/flag-source.js'
import { routeFault } from '../../decision/llm-route.js'
import { type EditRefusal, editOpsFile } from '../../flag-edits/edit-ops-file.js'
import type { FlagEdit } from '../../protocol/flag-edit.js'
import type { FlagChange } from '../../protocol/flag-edit-record.js'
import type { FlagStoreFault, Stored } from '../../store/flag-store.js'
import type { AppDeps } from '../app-deps.js'
import type { Sentence } from '../edge/language.js'
import { Problem } from '../edge/problems.js'
import { watchChanges } from './flag-change-watch.js'
import { isMatch, type Matches } from './flags-tag.js'

/** An edit of the operators' file, made in memory. */
export interface PlannedEdit {
  readonly before: Extract<Stored, { kind: 'text' }>
  readonly after: Extract<Stored, { kind: 'text' }>
  readonly changes: readonly FlagChange[]
}

export interface MadeEdit extends PlannedEdit {
  /** keys of the flags that have another value by it */
  readonly flags: readonly string[]
  /** this replica decides by it */
  readonly inForce: boolean
}

interface Editing extends Pick<AppDeps, 'opsFile' | 'flags' | 'clock'> {
  readonly config: Pick<AppDeps['config'], 'codeDefaults' | 'llm'>
}

/** `If-Match: *` starts again where an editor was faster; so often at most */
const TRIES = 5

/** What the edit would make of the file as it is now. @throws Problem 409, 412, 422 or 503 */
export async function planEdit(edit: FlagEdit, matches: Matches, deps: Editing): Promise<PlannedEdit> {
  if (deps.flags.status().resolver === 'provider') throw new Problem('flags_in_provider')
  const before = presentText(await deps.opsFile.read(), deps)
  if (!isMatch(matches, before)) throw new Problem('flags_changed')
  const { codeDefaults, llm } = deps.config
  const unknown =
    edit.llmRoute &&
    routeFault(
      edit.llmRoute,
      llm.map(({ name }) => name),
    )
  const result = editOpsFile(before.text, edit, codeDefaults)
  const refusals = [
    ...(result.kind === 'refused' ? result.refusals : []),
    ...(unknown ? [{ path: 'llmRoute.endpoints', message: unknown.en, zh: unknown['zh-CN'] }] : []),
  ]
  if (result.kind === 'refused' || refusals.length > 0)
    throw new Problem('flags_refused', { details: refusals.map(refusalLine) })
  const { text, changes } = result
  return { before, after: { kind: 'text', text, hash: hash('sha256', text) }, changes }
}

interface Making extends Editing {
  /** Called as soon as the edit is in the file, even if the client no longer waits. */
  onWritten(plan: PlannedEdit, flags: readonly string[]): void
}

/** Makes the edit, and waits until it decides here, but not for long. @throws Problem 409, 412, 422 or 503 */
export async function makeEdit(edit: FlagEdit, matches: Matches, deps: Making): Promise<MadeEdit> {
  for (let attempt = 1; ; attempt += 1) {
    const plan = await planEdit(edit, matches, deps)
    if (plan.changes.length === 0) return { ...plan, flags: [], inForce: true }
    const flags = changedByEdit(plan.before.text, plan.after.text)
    const watch = watchChanges(deps.flags, deps.clock)
    try {
      const result = await deps.opsFile.write(plan.after.text, plan.before.hash)
      if (result.kind === 'failed') throw unavailable(result.fault)
      if (result.kind === 'written') {
        deps.onWritten(plan, flags)
        return { ...plan, flags, inForce: await watch.saw(flags) }
      }
    } finally {
      watch.stop()
    }
    if (matches !== 'any' || attempt >= TRIES) throw new Problem('flags_changed')
  }
}

/** The file's text, whose every byte it stands for. */
function presentText(
  stored: Stored,
  { flags, opsFile }: Pick<Editing, 'flags' | 'opsFile'>,
): PlannedEdit['before'] {
  switch (stored.kind) {
    case 'failed':
      throw unavailable(stored.fault)
    case 'missing':
      if (opsFile.name !== undefined)
        throw new Problem('flags_unavailable', { details: [noDocument(opsFile.name)] })
      if (flags.status().resolver !== 'file') throw new Problem('flags_elsewhere')
      throw new Problem('flags_unavailable', { details: [NO_FILE] })
    case 'text':
      // What is no text would be written back as something else.
      if (hash('sha256', stored.text) === stored.hash) return stored
      throw new Problem('flags_refused', { details: [NOT_UTF8] })
  }
}

const NO_FILE: Sentence = {
  'zh-CN': '文件不存在，请从随附的 flags/chat.flagd.json 复制，或修正 CHAT_FLAGS_FILE',
  en: 'there is no such file; copy the shipped flags/chat.flagd.json, or correct CHAT_FLAGS_FILE',
}
const noDocument = (name: string): Sentence => ({
  'zh-CN': `${name} 不存在，请重启服务，由 CHAT_FLAGS_FILE 写入初始内容`,
  en: `there is no ${name}; restart the service, which writes it from CHAT_FLAGS_FILE`,
})
const NOT_UTF8: Sentence = {
  'zh-CN': '文件不是有效的 UTF-8 文本，请手工修正',
  en: 'the file is not valid UTF-8; mend it by hand',
}

const unavailable = ({ message }: FlagStoreFault): Problem =>
  new Problem('flags_unavailable', { details: [{ 'zh-CN': message, en: message }] })

/** Faults that an edit seldom brings in (no JSON, a wrong targeting) are in English alone, as `flags:validate` tells them. */
function refusalLine({ path, message, zh: said = message, line }: EditRefusal): Sentence {
  const zh = line === undefined ? path : `${path}（第 ${line} 行）`
  const en = line === undefined ? path : `${path} (line ${line})`.trimStart()
  return { 'zh-CN': zh === '' ? said : `${zh}: ${said}`, en: en === '' ? message : `${en}: ${message}` }
}
