import { findNodeAtLocation, type Node } from 'jsonc-parser'
import type { Bilingual } from '../../core/bilingual.js'
import { propertiesOf } from '../../core/json/json-tree.js'
import { FLAGS_OF_FILE, type FlagFileKind } from '../flags.js'
import { checkChatFlags } from './chat-flags-check.js'
import { type FlagIssue, IssueList, parseFlagDocument } from './flag-document.js'
import { checkMeaning } from './meaning-check.js'
import { checkSchema } from './schema-check.js'
import { checkTargeting, type TargetingNames } from './targeting-check.js'

export type { FlagIssue } from './flag-document.js'

/**
 * Everything wrong with a flag file, by its lines, in the order of the text. Pure; finds what flagd's schema, flagd, its
 * in-process provider or this service would refuse. One fault of the whole document (no JSON, no `flags`) hides the rest.
 */
export function checkFlagDocument(text: string, kind: FlagFileKind): FlagIssue[] {
  const issues = new IssueList(text)
  const document = parseFlagDocument(text, issues)
  if (document !== undefined) checkRoot(document.root, kind, issues)
  return issues.sorted()
}

const NO_DOCUMENT: Bilingual = {
  en: 'the document must be an object with "flags"',
  'zh-CN': '文档必须是含有 "flags" 的对象',
}
const NO_FLAGS: Bilingual = { en: '"flags" is missing', 'zh-CN': '缺少 "flags"' }
const WRONG_FLAGS: Bilingual = {
  en: '"flags" must be an object or a list',
  'zh-CN': '"flags" 必须是对象或列表',
}

function checkRoot(root: Node, kind: FlagFileKind, issues: IssueList): void {
  const flags = findNodeAtLocation(root, ['flags'])
  if (root.type !== 'object') issues.add(root.offset, [], NO_DOCUMENT)
  else if (flags === undefined) issues.add(root.offset, [], NO_FLAGS)
  else if (flags.type !== 'object') issues.add(flags.offset, ['flags'], WRONG_FLAGS)
  else {
    const evaluators = findNodeAtLocation(root, ['$evaluators'])
    const names = new Set(propertiesOf(evaluators).map(({ key }) => key))
    for (const { key, value } of propertiesOf(evaluators)) {
      checkTargeting(value, ['$evaluators', key], { variants: undefined, evaluators: names }, issues)
      checkMeaning(value, ['$evaluators', key], issues)
    }
    for (const { key, value } of propertiesOf(flags)) checkFlag(value, key, names, issues)
    checkChatFlags(root, flags, kind, issues)
    // Others' flags may be asked about by others, with another context.
    for (const { key, value } of propertiesOf(flags))
      if (FLAGS_OF_FILE[kind].has(key)) checkRule(value, key, issues)
    checkSchema(root, issues)
  }
}

function checkRule(flag: Node, key: string, issues: IssueList): void {
  const targeting = findNodeAtLocation(flag, ['targeting'])
  if (targeting !== undefined) checkMeaning(targeting, ['flags', key, 'targeting'], issues)
}

function checkFlag(
  flag: Node,
  key: string,
  evaluators: TargetingNames['evaluators'],
  issues: IssueList,
): void {
  const path = ['flags', key]
  const part = (name: string) => findNodeAtLocation(flag, [name])
  const state = part('state')
  if (state?.value !== 'ENABLED' && state?.value !== 'DISABLED')
    issues.add((state ?? flag).offset, [...path, 'state'], {
      en: '"state" must be "ENABLED" or "DISABLED"; the in-process provider refuses the whole configuration because of it',
      'zh-CN': '"state" 必须是 "ENABLED" 或 "DISABLED"；否则 in-process 提供方会拒绝整个配置',
    })
  const variants = new Set(propertiesOf(part('variants')).map(({ key: variant }) => variant))
  const byDefault = part('defaultVariant')
  if (typeof byDefault?.value === 'string' && byDefault.value !== '' && !variants.has(byDefault.value))
    issues.add(byDefault.offset, [...path, 'defaultVariant'], {
      en: `"defaultVariant" is "${byDefault.value}", which is not among the variants (${[...variants].join(', ')}); flagd refuses the whole file over it`,
      'zh-CN': `"defaultVariant" 为 "${byDefault.value}"，不在 variants（${[...variants].join(', ')}）之中；flagd 会因此拒绝整个文件`,
    })
  const targeting = part('targeting')
  if (targeting !== undefined)
    checkTargeting(targeting, [...path, 'targeting'], { variants, evaluators }, issues)
}

/** Whether something of the file is not taken over because of it. */
export function isRefusing({ severity, refuses }: FlagIssue): boolean {
  return severity === 'error' && refuses !== 'nothing'
}
