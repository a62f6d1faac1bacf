import { getNodeValue, parseTree } from 'jsonc-parser'
import { inObjectForm } from '../../core/json/flag-list.js'
import {
  faultBeforeParsing,
  isJsonFault,
  type JsonFault,
  NOT_JSON,
  nodeNear,
  parseJsonTree,
  positionOf,
} from '../../core/json/json-tree.js'
import { isList, isObject, type Json } from './override-flag.js'

export type ParsedJson =
  | { readonly kind: 'json'; readonly value: Json }
  | { readonly kind: 'fault'; readonly detail: string }

/** Strict JSON, a list of flags given as an object; a fault is told with its line. Never throws. */
export function parseStrictJson(text: string): ParsedJson {
  const fault = faultBeforeParsing(text)
  if (fault !== undefined) return told(text, fault)
  try {
    return flagsAsObject(text, JSON.parse(text))
  } catch {
    // The tree is read for its faults alone: it costs many times what the value does.
    const tree = parseJsonTree(text)
    return told(text, isJsonFault(tree) ? tree : { offset: 0, message: NOT_JSON })
  }
}

/** The 1-based line of a place in the document (its flags as an object), or of what is nearest above it. */
export function lineAt(text: string, path: readonly (string | number)[]): number {
  const parsed = parseTree(text)
  if (parsed === undefined) return 1
  return positionOf(text, nodeNear(inObjectForm(parsed).root, [...path]).offset).line
}

function flagsAsObject(text: string, value: Json): ParsedJson {
  const tree = isObject(value) && isList(value.flags) ? parseTree(text) : undefined
  if (tree === undefined) return { kind: 'json', value }
  const { root, faults } = inObjectForm(tree)
  const [first] = faults
  return first === undefined ? { kind: 'json', value: getNodeValue(root) } : told(text, first)
}

const told = (text: string, { offset, message }: JsonFault): ParsedJson => ({
  kind: 'fault',
  detail: `line ${positionOf(text, offset).line}: ${message.en}`,
})
