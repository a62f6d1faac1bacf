import { findNodeAtLocation, getNodeValue, type JSONPath, type Node, parseTree } from 'jsonc-parser'
import type { Bilingual } from '../bilingual.js'

/** What is wrong with a list of flags itself: an entry without a key, or a key twice. */
export interface FlagListFault {
  readonly offset: number
  readonly path: JSONPath
  readonly message: Bilingual
}

/**
 * flagd also takes flags as a list, each with its `key` inside; flagd-core does not. Gives the document with `flags` as
 * an object. The nodes keep their offsets, so lines are those of the text. Of two entries with one key the last is kept:
 * which of them the daemon evaluates is not defined, so it is a fault. Any other document comes back as it is.
 */
export function inObjectForm(root: Node): { readonly root: Node; readonly faults: readonly FlagListFault[] } {
  const list = findNodeAtLocation(root, ['flags'])
  if (root.type !== 'object' || list?.type !== 'array') return { root, faults: [] }
  const { flags, faults } = flagsOf(list)
  const children = (root.children ?? []).map((property) =>
    property.children?.[1] === list
      ? { ...property, children: [...property.children.slice(0, 1), flags] }
      : property,
  )
  return { root: { ...root, children }, faults }
}

/** The text of a flag document with its flags as an object. One that has them so, or is not JSON, stays as it is. */
export function objectFormText(text: string): string {
  const root = parseTree(text)
  if (root === undefined) return text
  const converted = inObjectForm(root).root
  return converted === root ? text : JSON.stringify(getNodeValue(converted))
}

/** Of a key that an object or a list has more than once. */
export const twice = (key: string): Bilingual => ({
  en: `"${key}" is there twice`,
  'zh-CN': `"${key}" 出现了两次`,
})

function flagsOf(list: Node): { flags: Node; faults: FlagListFault[] } {
  const properties = new Map<string, Node>()
  const faults: FlagListFault[] = []
  for (const [index, entry] of (list.children ?? []).entries()) {
    const keys = (entry.children ?? []).filter((property) => property.children?.[0]?.value === 'key')
    const keyNode = keys.at(-1)?.children?.[1]
    const key: unknown = keyNode?.value
    const path = ['flags', index]
    if (entry.type !== 'object' || keyNode === undefined || typeof key !== 'string' || key === '') {
      const message = {
        en: 'each flag of a list must be an object with a "key" that is a text and not empty',
        'zh-CN': '列表中的每个 flag 都必须是对象，且含有非空字符串 "key"',
      }
      faults.push({ offset: (keyNode ?? entry).offset, path, message })
      continue
    }
    if (keys.length > 1)
      faults.push({ offset: keyNode.offset, path: [...path, 'key'], message: twice('key') })
    if (properties.has(key))
      faults.push({ offset: keyNode.offset, path: ['flags', key], message: twice(key) })
    properties.set(key, propertyOf(keyNode, entry, keys))
  }
  return { flags: { ...list, type: 'object', children: [...properties.values()] }, faults }
}

function propertyOf(keyNode: Node, entry: Node, keys: readonly Node[]): Node {
  const children = (entry.children ?? []).filter((property) => !keys.includes(property))
  return {
    type: 'property',
    offset: entry.offset,
    length: entry.length,
    children: [keyNode, { ...entry, children }],
  }
}
