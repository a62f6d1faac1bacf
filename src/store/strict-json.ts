import {
  findNodeAtLocation,
  getNodeValue,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser'
import { inObjectForm } from '../core/flag-list.js'
import { MAX_JSON_DEPTH, tooDeepAt } from '../core/json-depth.js'
import { isList, isObject, type Json } from './override-flag.js'

export type ParsedJson =
  | { readonly kind: 'json'; readonly value: Json }
  | { readonly kind: 'fault'; readonly detail: string }

/** Strict JSON, a list of flags given as an object; a fault is told with its line. Never throws. */
export function parseStrictJson(text: string): ParsedJson {
  const fault = (detail: string): ParsedJson => ({ kind: 'fault', detail })
  if (text.trim() === '') return fault('the file is empty')
  if (text.startsWith('\ufeff')) return fault('line 1: not JSON: it begins with a byte order mark')
  const tooDeep = tooDeepAt(text)
  if (tooDeep !== undefined)
    return fault(`line ${lineOf(text, tooDeep)}: nested deeper than ${MAX_JSON_DEPTH} levels`)
  try {
    return flagsAsObject(text, JSON.parse(text))
  } catch {
    return fault(syntaxFault(text))
  }
}

/** The 1-based line of a place in the document (its flags as an object), or of what is nearest above it. */
export function lineAt(text: string, path: readonly (string | number)[]): number {
  const parsed = parseTree(text)
  if (parsed === undefined) return 1
  const { root } = inObjectForm(parsed)
  for (let length = path.length; length > 0; length -= 1) {
    const node = findNodeAtLocation(root, path.slice(0, length))
    if (node !== undefined) return lineOf(text, node.offset)
  }
  return lineOf(text, root.offset)
}

function flagsAsObject(text: string, value: Json): ParsedJson {
  const tree = isObject(value) && isList(value.flags) ? parseTree(text) : undefined
  if (tree === undefined) return { kind: 'json', value }
  const { root, faults } = inObjectForm(tree)
  const [first] = faults
  if (first === undefined) return { kind: 'json', value: getNodeValue(root) }
  return { kind: 'fault', detail: `line ${lineOf(text, first.offset)}: ${first.message}` }
}

function syntaxFault(text: string): string {
  const errors: ParseError[] = []
  parseTree(text, errors, { disallowComments: true, allowTrailingComma: false })
  const [first] = errors
  if (first === undefined) return 'not JSON'
  const words = printParseErrorCode(first.error).replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`)
  return `line ${lineOf(text, first.offset)}: not JSON: ${words.toLowerCase()}`
}

function lineOf(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1
  return line
}
