import { readFileSync } from 'node:fs'
import { parseTree } from 'jsonc-parser'
import { type EnvironmentMode, editOpsFile } from '../../src/flag-edits/edit-ops-file.js'
import { OpsDocument } from '../../src/flag-edits/ops-document.js'
import { opsValues } from '../../src/flag-edits/ops-values.js'
import { type FlagEdit, flagEditSchema } from '../../src/protocol/flag-edit.js'

/** The operators' file as it is shipped. */
export const SHIPPED = readFileSync('flags/chat.flagd.json', 'utf8')

/** An environment that sends everybody to the direct LLM. */
export const SILENT: EnvironmentMode = { mode: 'direct_llm', enabledOrgs: [] }

/** @throws where the edit is refused */
export function edited(text: string, edit: FlagEdit, environment = SILENT) {
  const result = editOpsFile(text, flagEditSchema.parse(edit), environment)
  if (result.kind !== 'edited') throw new Error(JSON.stringify(result.refusals))
  return result
}

/** @throws where the edit is made */
export function refusals(text: string, edit: FlagEdit) {
  const result = editOpsFile(text, flagEditSchema.parse(edit), SILENT)
  if (result.kind !== 'refused') throw new Error('was made')
  return result.refusals
}

export function valuesOf(text: string) {
  const root = parseTree(text)
  if (root === undefined) throw new Error('no JSON')
  return opsValues(new OpsDocument(root))
}

/** A file of these flags, indented by two. */
export function fileOf(flags: object, evaluators?: object): string {
  return JSON.stringify({ ...(evaluators === undefined ? {} : { $evaluators: evaluators }), flags }, null, 2)
}

/** The shipped file with one flag changed. */
export function withFlag(key: string, part: object): string {
  const { flags, ...rest } = JSON.parse(SHIPPED)
  return JSON.stringify({ ...rest, flags: { ...flags, [key]: { ...flags[key], ...part } } }, null, 2)
}

/** `{ "var": "orgId" } in` the list, as the evaluator of a file. */
export const orgsRule = (orgs: readonly unknown[]) => ({
  'runtime-enabled-orgs': { in: [{ var: 'orgId' }, orgs] },
})
