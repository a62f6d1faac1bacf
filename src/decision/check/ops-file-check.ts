import { findNodeAtLocation, type Node } from 'jsonc-parser'
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

function checkRoot(root: Node, kind: FlagFileKind, issues: IssueList): void {
  const flags = findNodeAtLocation(root, ['flags'])
  if (root.type !== 'object') issues.add(root.offset, [], 'the document must be an object with "flags"')
  else if (flags === undefined) issues.add(root.offset, [], '"flags" is missing')
  else if (flags.type !== 'object') issues.add(flags.offset, ['flags'], '"flags" must be an object or a list')
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
    issues.add(
      (state ?? flag).offset,
      [...path, 'state'],
      `"state" must be "ENABLED" or "DISABLED"; the in-process provider refuses the whole configuration because of it`,
    )
  const variants = new Set(propertiesOf(part('variants')).map(({ key: variant }) => variant))
  const byDefault = part('defaultVariant')
  if (typeof byDefault?.value === 'string' && byDefault.value !== '' && !variants.has(byDefault.value))
    issues.add(
      byDefault.offset,
      [...path, 'defaultVariant'],
      `"defaultVariant" is "${byDefault.value}", which is not among the variants (${[...variants].join(', ')}); flagd refuses the whole file over it`,
    )
  const targeting = part('targeting')
  if (targeting !== undefined)
    checkTargeting(targeting, [...path, 'targeting'], { variants, evaluators }, issues)
}

/** Whether something of the file is not taken over because of it. */
export function isRefusing({ severity, refuses }: FlagIssue): boolean {
  return severity === 'error' && refuses !== 'nothing'
}
