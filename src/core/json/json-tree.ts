import {
  findNodeAtLocation,
  type JSONPath,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser'
import type { Bilingual } from '../bilingual.js'
import { MAX_JSON_DEPTH, tooDeepAt } from './json-depth.js'

/** Why a text is no strict JSON, and where. */
export interface JsonFault {
  readonly offset: number
  readonly message: Bilingual
}

/** What can be told without parsing: nothing in the text, a byte order mark, too many levels of brackets. */
export function faultBeforeParsing(text: string): JsonFault | undefined {
  if (text.trim() === '') return { offset: 0, message: { en: 'the file is empty', 'zh-CN': '文件为空' } }
  if (text.startsWith('\ufeff'))
    return {
      offset: 0,
      message: {
        en: 'not JSON: it begins with a byte order mark',
        'zh-CN': '不是 JSON：文件以字节顺序标记（BOM）开头',
      },
    }
  const tooDeep = tooDeepAt(text)
  return tooDeep === undefined
    ? undefined
    : {
        offset: tooDeep,
        message: {
          en: `nested deeper than ${MAX_JSON_DEPTH} levels`,
          'zh-CN': `嵌套超过 ${MAX_JSON_DEPTH} 层`,
        },
      }
}

/** Strict JSON as a tree that knows its offsets, or its first fault. */
export function parseJsonTree(text: string): Node | JsonFault {
  const before = faultBeforeParsing(text)
  if (before !== undefined) return before
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false })
  const [first] = errors
  if (root !== undefined && first === undefined) return root
  return { offset: first?.offset ?? 0, message: first === undefined ? NOT_JSON : wordsOf(first) }
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

export const NOT_JSON: Bilingual = { en: 'not JSON', 'zh-CN': '不是 JSON' }

/** `CloseBraceExpected` as words. */
function wordsOf({ error }: ParseError): Bilingual {
  const code = printParseErrorCode(error)
  const en = code.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()
  return { en: `not JSON: ${en}`, 'zh-CN': `不是 JSON：${FAULTS_ZH[code] ?? en}` }
}

const FAULTS_ZH: Readonly<Record<string, string>> = {
  InvalidSymbol: '无效的符号',
  InvalidNumberFormat: '数字格式无效',
  PropertyNameExpected: '此处应为属性名',
  ValueExpected: '此处应为值',
  ColonExpected: '此处应为冒号',
  CommaExpected: '此处应为逗号',
  CloseBraceExpected: '缺少右花括号',
  CloseBracketExpected: '缺少右方括号',
  EndOfFileExpected: '此处应为文件结尾',
  InvalidCommentToken: '不允许注释',
  UnexpectedEndOfComment: '注释没有结尾',
  UnexpectedEndOfString: '字符串没有结尾',
  UnexpectedEndOfNumber: '数字不完整',
  InvalidUnicode: 'Unicode 转义无效',
  InvalidEscapeCharacter: '转义字符无效',
  InvalidCharacter: '无效的字符',
}
