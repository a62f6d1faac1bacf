import type { JSONPath } from 'jsonc-parser'
import type { Bilingual } from '../core/bilingual.js'
import { checkFlagDocument, type FlagIssue } from '../decision/check/ops-file-check.js'
import { FLAG_KEYS } from '../decision/flags.js'
import type { FlagEdit } from '../protocol/flag-edit.js'
import type { FlagChange } from '../protocol/flag-edit-record.js'
import type { ExecutionMode } from '../protocol/modes.js'
import { DocumentEditor, EditRefused } from './document-editor.js'
import { isRecord, isTextList, ORG_LIST } from './ops-document.js'
import { isRule } from './ops-values.js'
import { canaryPercentOf, modeTargeting, shadowPercentOf, shadowTargeting } from './targeting.js'

/** What the environment says while the mode flag yields no variant. */
export interface EnvironmentMode {
  readonly mode: ExecutionMode
  readonly enabledOrgs: readonly string[]
}

/** Why an edit was not made. `line` and `column` are of the text that it would have become, 1-based. */
export interface EditRefusal {
  readonly path: string
  readonly message: string
  /** the message in Chinese, where there is one */
  readonly zh?: string
  readonly line?: number
  readonly column?: number
}

export type EditResult =
  /** `changes` is empty if all was so already; `text` is the same then */
  | { readonly kind: 'edited'; readonly text: string; readonly changes: readonly FlagChange[] }
  | { readonly kind: 'refused'; readonly refusals: readonly EditRefusal[] }

/**
 * The operators' file with an edit made: only the values that change are rewritten, everything else stays byte by byte.
 * Refused where the file is broken, where what is to change was made by hand, or where the result would have a fault.
 * Pure.
 */
export function editOpsFile(text: string, edit: FlagEdit, environment: EnvironmentMode): EditResult {
  const before = checkFlagDocument(text, 'ops')
  const broken = before.filter(({ refuses, severity }) => severity === 'error' && refuses === 'file')
  if (broken.length > 0) return refused(broken.map(asRefusal))
  const editor = new DocumentEditor(text)
  const refusals = STEPS.flatMap((step) => refusalOf(() => step(editor, edit, environment)))
  if (refusals.length > 0) return refused(refusals)
  if (editor.text === text) return { kind: 'edited', text, changes: [] }
  const faults = newFaults(before, editor.text, editor.changes)
  if (faults.length > 0) return refused(faults.map(asRefusal))
  return { kind: 'edited', text: editor.text, changes: editor.changes }
}

type Step = (editor: DocumentEditor, edit: FlagEdit, environment: EnvironmentMode) => void

function refusalOf(work: () => void): EditRefusal[] {
  try {
    work()
    return []
  } catch (thrown) {
    if (thrown instanceof EditRefused)
      return [{ path: thrown.path, message: thrown.message, zh: thrown.said['zh-CN'] }]
    throw thrown
  }
}

const refused = (refusals: readonly EditRefusal[]): EditResult => ({ kind: 'refused', refusals })

const asRefusal = ({ path, message, zh, line, column }: FlagIssue): EditRefusal => ({
  path,
  message,
  zh,
  line,
  column,
})

/** Faults that the edit brings in. Those that were there before do not keep it from being made; an odd value that it sets does. */
function newFaults(before: readonly FlagIssue[], after: string, changes: readonly FlagChange[]): FlagIssue[] {
  const known = new Set(before.map(({ path, message }) => `${path}\n${message}`))
  return checkFlagDocument(after, 'ops').filter(
    ({ path, message, severity, refuses }) =>
      !known.has(`${path}\n${message}`) &&
      // A name that is hardly one (refuses nothing) is what the caller asked for, word by word.
      (severity === 'error'
        ? refuses !== 'nothing'
        : changes.some(({ path: changed }) => isWithin(path, changed))),
  )
}

const isWithin = (path: string, other: string): boolean =>
  path === other || path.startsWith(`${other}.`) || other.startsWith(`${path}.`)

function editMode(editor: DocumentEditor, edit: FlagEdit, environment: EnvironmentMode): void {
  const { mode, enabledOrgs, canaryPercent } = edit
  if (mode === undefined && enabledOrgs === undefined && canaryPercent === undefined) return
  ensureFlag(editor, FLAG_KEYS.mode, MODE_VARIANTS)
  const flag = editor.document.pathOf(FLAG_KEYS.mode)
  const present = canaryPercentOf(editor.document.part(FLAG_KEYS.mode, 'targeting'))
  const list = orgList(editor)
  if (enabledOrgs !== undefined || canaryPercent !== undefined) {
    if (present === undefined)
      editor.refuse([...flag, 'targeting'], handMade('the targeting of the mode', '执行模式的定向规则'))
    if (list === undefined) editor.refuse(['$evaluators', ORG_LIST], handMade('the list of orgs', '组织列表'))
  }
  const known = [...(list?.orgs ?? []), ...environment.enabledOrgs]
  const takesOver = endsEnvironment(editor, edit, known)
  const orgs = takesOver ? known : (list?.orgs ?? [])
  if (list !== undefined) editor.setList(list.path, editedOrgs(orgs, enabledOrgs ?? {}))
  if (mode !== undefined) editor.set([...flag, 'defaultVariant'], mode)
  else if (takesOver) editor.set([...flag, 'defaultVariant'], environment.mode)
  const wanted = canaryPercent ?? present
  if (wanted !== undefined && needsTargeting(editor, wanted))
    editor.set([...flag, 'targeting'], modeTargeting(wanted))
}

const MODE_VARIANTS = { direct_llm: 'direct_llm', runtime_orchestrator: 'runtime_orchestrator' }

/**
 * Once the flag says anything, the environment is not asked any more: what it said goes into the file then. To remove an org that
 * nobody has let in says nothing.
 * @param orgs those that the file or the environment lets in
 */
function endsEnvironment(
  editor: DocumentEditor,
  { mode, enabledOrgs: { set, add = [], remove = [] } = {}, canaryPercent = 0 }: FlagEdit,
  orgs: readonly string[],
): boolean {
  const isSilent = typeof editor.document.part(FLAG_KEYS.mode, 'defaultVariant') !== 'string'
  if (!isSilent || mode === null) return false
  const namesOrgs = set !== undefined || add.length > 0 || remove.some((org) => orgs.includes(org))
  return mode !== undefined || namesOrgs || canaryPercent > 0
}

function editedOrgs(
  orgs: readonly string[],
  { set, add = [], remove = [] }: NonNullable<FlagEdit['enabledOrgs']>,
): string[] {
  const wanted = new Set(set ?? [...orgs, ...add])
  for (const org of remove) wanted.delete(org)
  return [...wanted]
}

/** Not where the rule is as wanted, or if there is none and nobody to be named by one. */
function needsTargeting(editor: DocumentEditor, wanted: number): boolean {
  const targeting = editor.document.part(FLAG_KEYS.mode, 'targeting')
  if (isRule(targeting)) return canaryPercentOf(targeting) !== wanted
  return wanted > 0 || (orgList(editor)?.orgs.length ?? 0) > 0
}

/** The list, made again if there is none at all. */
function orgList(
  editor: DocumentEditor,
): { readonly path: JSONPath; readonly orgs: readonly string[] } | undefined {
  const path = editor.document.orgListPath()
  if (path === undefined) {
    if (editor.document.at(['$evaluators', ORG_LIST]) !== undefined) return undefined
    editor.set(['$evaluators', ORG_LIST], { in: [{ var: 'orgId' }, []] })
    return { path: ['$evaluators', ORG_LIST, 'in', 1], orgs: [] }
  }
  const orgs = editor.document.at(path)
  return isTextList(orgs) ? { path, orgs } : undefined
}

function editShadow(editor: DocumentEditor, { shadowPercent }: FlagEdit): void {
  if (shadowPercent === undefined) return
  ensureFlag(editor, FLAG_KEYS.shadow, { on: true, off: false })
  const path = [...editor.document.pathOf(FLAG_KEYS.shadow), 'targeting']
  const targeting = editor.document.at(path)
  if (isRule(targeting) && shadowPercentOf(targeting) === undefined)
    editor.refuse(path, handMade('the targeting of the shadow', '影子的定向规则'))
  if (shadowPercent !== null) {
    editor.set(path, shadowTargeting(shadowPercent))
    return
  }
  editor.set(path, undefined)
  editor.set([...editor.document.pathOf(FLAG_KEYS.shadow), 'defaultVariant'], null)
}

function editGuardrails(editor: DocumentEditor, { guardrails }: FlagEdit): void {
  if (guardrails !== undefined)
    editFields(editor, FLAG_KEYS.guardrails, guardrails, {
      en: 'the guardrails',
      'zh-CN': '护栏',
    })
}

function editLimits(editor: DocumentEditor, { limits }: FlagEdit): void {
  if (limits === undefined) return
  const { weights } = limits
  // An org whose weight is null is named no more.
  const named = isRecord(weights)
    ? {
        weights: Object.fromEntries(
          Object.entries(weights).map(([org, weight]) => [org, weight ?? undefined]),
        ),
      }
    : {}
  editFields(editor, FLAG_KEYS.limits, { ...limits, ...named }, { en: 'the limits', 'zh-CN': '限额' })
}

/** Fields of the variant that is in effect for all; those not named stay. */
function editFields(
  editor: DocumentEditor,
  key: string,
  fields: Readonly<Record<string, unknown>>,
  what: Bilingual,
): void {
  const flag = editor.document.pathOf(key)
  if (!editor.document.has(key)) {
    editor.set(flag, newFlag(editor, key, { standard: fields }, 'standard'))
    return
  }
  const variant = editor.document.part(key, 'defaultVariant')
  const targeting = [...flag, 'targeting']
  if (isRule(editor.document.at(targeting)))
    editor.refuse(targeting, handMade(`the targeting of ${what.en}`, `${what['zh-CN']}的定向规则`))
  if (typeof variant !== 'string')
    editor.refuse([...flag, 'defaultVariant'], {
      en: 'names no variant; name the one that is to be edited',
      'zh-CN': '没有指定 variant，请指定要修改的那一个',
    })
  const at = [...flag, 'variants', variant]
  for (const [field, value] of Object.entries(fields)) {
    const there = editor.document.at([...at, field])
    if (isRecord(value) && isRecord(there))
      for (const [inner, innerValue] of Object.entries(value)) editor.set([...at, field, inner], innerValue)
    else editor.set([...at, field], value)
  }
}

function editPolicy(editor: DocumentEditor, { fallbackPolicy }: FlagEdit): void {
  if (fallbackPolicy === undefined) return
  ensureFlag(editor, FLAG_KEYS.policy, { auto: 'auto', observe: 'observe', off: 'off' })
  const flag = editor.document.pathOf(FLAG_KEYS.policy)
  const targeting = [...flag, 'targeting']
  if (isRule(editor.document.at(targeting)))
    editor.refuse(targeting, handMade('the targeting of the policy', '回退策略的定向规则'))
  editor.set([...flag, 'defaultVariant'], fallbackPolicy)
}

const ROUTE_VARIANT = 'default'

function editRoute(editor: DocumentEditor, { llmRoute }: FlagEdit): void {
  if (llmRoute === undefined) return
  const flag = editor.document.pathOf(FLAG_KEYS.route)
  if (!editor.document.has(FLAG_KEYS.route)) {
    if (llmRoute !== null)
      editor.set(flag, newFlag(editor, FLAG_KEYS.route, { [ROUTE_VARIANT]: llmRoute }, ROUTE_VARIANT))
    return
  }
  const targeting = [...flag, 'targeting']
  if (isRule(editor.document.at(targeting)))
    editor.refuse(targeting, handMade('the targeting of the route', 'LLM 路由的定向规则'))
  if (llmRoute === null) {
    editor.set([...flag, 'defaultVariant'], null)
    return
  }
  const variant = editor.document.part(FLAG_KEYS.route, 'defaultVariant')
  const name = typeof variant === 'string' ? variant : ROUTE_VARIANT
  editor.set([...flag, 'variants', name, 'endpoints'], llmRoute.endpoints)
  editor.set([...flag, 'defaultVariant'], name)
}

/** The flag with the variants that an edit needs, made where it is missing. @throws EditRefused if they are others */
function ensureFlag(editor: DocumentEditor, key: string, variants: Readonly<Record<string, unknown>>): void {
  const flag = editor.document.pathOf(key)
  if (!editor.document.has(key)) {
    editor.set(flag, newFlag(editor, key, variants, null))
    return
  }
  for (const [variant, value] of Object.entries(variants)) {
    const path = [...flag, 'variants', variant]
    const there = editor.document.at(path)
    if (there === undefined) editor.set(path, value)
    else if (there !== value)
      editor.refuse(path, {
        en: `is not ${JSON.stringify(value)}, as its name says; edit the file by hand`,
        'zh-CN': `的取值与名称不符，应为 ${JSON.stringify(value)}，请直接修改文件`,
      })
  }
}

function newFlag(
  editor: DocumentEditor,
  key: string,
  variants: Readonly<Record<string, unknown>>,
  defaultVariant: string | null,
): object {
  return { ...(editor.document.isList ? { key } : {}), state: 'ENABLED', variants, defaultVariant }
}

const handMade = (en: string, zh: string): Bilingual => ({
  en: `${en} was made by hand and is not a form that this service writes; edit the file by hand`,
  'zh-CN': `${zh}是手工编写的，不是本服务写入的形式，请直接修改文件`,
})

const STEPS: readonly Step[] = [editMode, editShadow, editGuardrails, editPolicy, editRoute, editLimits]
