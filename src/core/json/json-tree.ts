import {
  findNodeAtLocation,
  type JSONPath,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser'
import { MAX_JSON_DEPTH, tooDeepAt } from './json-depth.js'

/** Why a text is no strict JSON, and where. */
export interface JsonFault {
  readonly offset: number
  readonly message: string
}

/** What can be told without parsing: nothing in the text, a byte order mark, too many levels of brackets. */
export function faultBeforeParsing(text: string): JsonFault | undefined {
  if (text.trim() === '') return { offset: 0, message: 'the file is empty' }
  if (text.startsWith('\ufeff')) return { offset: 0, message: 'not JSON: it begins with a byte order mark' }
  const tooDeep = tooDeepAt(text)
  return tooDeep === undefined
    ? undefined
    : { offset: tooDeep, message: `nested deeper than ${MAX_JSON_DEPTH} levels` }
}

/** Strict JSON as a tree that knows its offsets, or its first fault. */
export function parseJsonTree(text: string): Node | JsonFault {
  const before = faultBeforeParsing(text)
  if (before !== undefined) return before
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false })
  const [first] = errors
  if (root !== undefined && first === undefined) return root
  return {
    offset: first?.offset ?? 0,
    message: `not JSON${first === undefined ? '' : `: ${wordsOf(first)}`}`,
  }
}

export const isJsonFault = (parsed: Node | JsonFault): parsed is JsonFault => 'message' in parsed

/** An object's properties; nothing for any other node. */
export function propertiesOf(node: Node | undefined): { key: string; keyNode: Node; value: Node }[] {
  if (node?.type !== 'object') return []
  return (node.children ?? []).flatMap((property) => {
    const [keyNode, value] = property.children ?? []
    return keyNode !== undefined && value !== undefined
      ? [{ key: String(keyNode.value), keyNode, value }]
      : []
  })
}

/**
 * Keys that an object has twice, the second place of each. `JSON.parse` keeps the last value without a word; a person who
 * wrote both sees only the first.
 */
export function duplicateKeys(node: Node, path: JSONPath = []): { path: JSONPath; keyNode: Node }[] {
  const found: { path: JSONPath; keyNode: Node }[] = []
  const seen = new Set<string>()
  for (const { key, keyNode, value } of propertiesOf(node)) {
    const at = [...path, key]
    if (seen.has(key)) found.push({ path: at, keyNode })
    seen.add(key)
    found.push(...duplicateKeys(value, at))
  }
  if (node.type === 'array')
    for (const [index, child] of (node.children ?? []).entries())
      found.push(...duplicateKeys(child, [...path, index]))
  return found
}

/** The node at `path`, or its nearest ancestor that exists. */
export function nodeNear(root: Node, path: JSONPath): Node {
  for (let length = path.length; length > 0; length -= 1) {
    const node = findNodeAtLocation(root, path.slice(0, length))
    if (node !== undefined) return node
  }
  return root
}

/** Both 1-based; the column in UTF-16 units. */
export function positionOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  let line = 1
  let lineStart = 0
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) {
    line += 1
    lineStart = at + 1
  }
  return { line, column: offset - lineStart + 1 }
}

/** `CloseBraceExpected` as words. */
const wordsOf = ({ error }: ParseError): string =>
  printParseErrorCode(error)
    .replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`)
    .toLowerCase()
