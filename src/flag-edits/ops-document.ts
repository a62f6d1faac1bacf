import { findNodeAtLocation, getNodeValue, type JSONPath, type Node } from 'jsonc-parser'

/** The list of the orgs that get the runtime, under `$evaluators`. */
export const ORG_LIST = 'runtime-enabled-orgs'

/** The operators' file as a tree, with flags in either form of flagd: an object, or a list with a `key` in each. */
export class OpsDocument {
  constructor(private readonly root: Node) {}

  /** Where the flag is, or would be. */
  pathOf(flag: string): JSONPath {
    const flags = findNodeAtLocation(this.root, ['flags'])
    if (flags?.type !== 'array') return ['flags', flag]
    const entries = flags.children ?? []
    const index = entries.findIndex((entry) => valueAt(entry, ['key']) === flag)
    return ['flags', index === -1 ? entries.length : index]
  }

  /** A path as people read it: flags by their keys, also if they are in a list. */
  nameOf(path: JSONPath): string {
    const [first, index, ...rest] = path
    if (first !== 'flags' || typeof index !== 'number') return path.join('.')
    const key = this.at(['flags', index, 'key'])
    return [first, typeof key === 'string' ? key : index, ...rest].join('.')
  }

  has(flag: string): boolean {
    return findNodeAtLocation(this.root, this.pathOf(flag)) !== undefined
  }

  /** Whether a flag that is new carries its key inside. */
  get isList(): boolean {
    return findNodeAtLocation(this.root, ['flags'])?.type === 'array'
  }

  /** The value of a part of a flag; undefined if there is none. */
  part(flag: string, ...within: JSONPath): unknown {
    return this.at([...this.pathOf(flag), ...within])
  }

  at(path: JSONPath): unknown {
    return valueAt(this.root, path)
  }

  /** The nearest part above `path` in which nothing of that name can be: a number, say. */
  obstacleTo(path: JSONPath): JSONPath | undefined {
    for (let length = 1; length < path.length; length += 1) {
      const value = this.at(path.slice(0, length))
      if (value === undefined) return undefined
      const fits = typeof path[length] === 'number' ? Array.isArray(value) : isRecord(value)
      if (!fits) return path.slice(0, length)
    }
    return undefined
  }

  /** Where in the text an item of a list is, with the comma that goes with it: what is left is a list of the others. */
  spanOfItem(
    list: JSONPath,
    index: number,
  ): { readonly offset: number; readonly length: number } | undefined {
    const parent = findNodeAtLocation(this.root, list)
    const items = parent?.type === 'array' ? (parent.children ?? []) : []
    const [previous, item, next] = [items[index - 1], items[index], items[index + 1]]
    if (parent === undefined || item === undefined) return undefined
    if (next !== undefined) return { offset: item.offset, length: next.offset - item.offset }
    if (previous === undefined) return { offset: parent.offset + 1, length: parent.length - 2 }
    const offset = previous.offset + previous.length
    return { offset, length: item.offset + item.length - offset }
  }

  /** The place in the text behind the items of a list, and where it and its last two items are; undefined for no list. */
  endOfList(list: JSONPath):
    | {
        readonly offset: number
        /** what stands before the last item: from the item before it, or from the bracket */
        readonly before: { readonly from: number; readonly to: number } | undefined
        readonly start: number
        readonly end: number
      }
    | undefined {
    const parent = findNodeAtLocation(this.root, list)
    if (parent?.type !== 'array') return undefined
    const [start, end] = [parent.offset, parent.offset + parent.length]
    const [last, previous] = [...(parent.children ?? [])].reverse()
    if (last === undefined) return { offset: start + 1, before: undefined, start, end }
    const from = previous === undefined ? start + 1 : previous.offset + previous.length
    return { offset: last.offset + last.length, before: { from, to: last.offset }, start, end }
  }

  /** Path of the list of orgs, where it has the form of the shipped file. */
  orgListPath(): JSONPath | undefined {
    const rule = this.at(['$evaluators', ORG_LIST])
    const isShipped =
      isRecord(rule) &&
      Object.keys(rule).length === 1 &&
      Array.isArray(rule.in) &&
      rule.in.length === 2 &&
      isEqual(rule.in[0], { var: 'orgId' }) &&
      isTextList(rule.in[1])
    return isShipped ? ['$evaluators', ORG_LIST, 'in', 1] : undefined
  }
}

function valueAt(node: Node, path: JSONPath): unknown {
  const found = findNodeAtLocation(node, path)
  return found === undefined ? undefined : getNodeValue(found)
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isTextList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

/** Of JSON values, of which those of the tree have no prototype; the order of keys does not count. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, at) => isEqual(item, b[at]))
  if (!isRecord(a) || !isRecord(b)) return a === b
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isEqual(a[key], b[key]))
  )
}
