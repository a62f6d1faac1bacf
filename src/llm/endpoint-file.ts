import { findNodeAtLocation, type JSONPath, type Node } from 'jsonc-parser'
import type { z } from 'zod'
import { errorCode, errorText } from '../core/errors.js'
import { duplicateKeys, isJsonFault, nodeNear, parseJsonTree, positionOf } from '../core/json/json-tree.js'
import { type LlmAuth, type LlmEndpoint, type LlmEndpoints, llmEndpoint } from './endpoint.js'
import { type EndpointEntry, endpointFileSchema, PARAMETERS, unknownFieldText } from './endpoint-schema.js'

/** One thing wrong in the file of endpoints; never with a key in it. */
export interface EndpointFault {
  /** both 1-based */
  readonly line: number
  readonly column: number
  /** as `endpoints.0.baseUrl`; empty for the whole file */
  readonly path: string
  readonly message: string
  /** `key`: the file is good, but a key that it names is missing here */
  readonly about: 'file' | 'key'
}

/** Where the keys come from that the file names. */
export interface KeySource {
  variable(name: string): string | undefined
  /** @throws where it cannot be read */
  file(path: string): string
}

export type EndpointFile =
  | { readonly kind: 'endpoints'; readonly endpoints: LlmEndpoints }
  | { readonly kind: 'faults'; readonly faults: readonly EndpointFault[] }

type Path = Readonly<JSONPath>

/** What no request could carry is no key; those read from files often end in a line break. */
const KEY = /^[\x21-\x7e]+$/

/** Parses the file of endpoints: strict JSON, `{"endpoints": […]}` or the list alone. Every fault at once; never throws. */
export function parseEndpointFile(text: string, keys: KeySource): EndpointFile {
  const reader = new Reader(text, keys)
  const endpoints = reader.read()
  const [first, ...rest] = endpoints
  if (reader.faults.length > 0 || first === undefined) return { kind: 'faults', faults: reader.sorted() }
  return { kind: 'endpoints', endpoints: [first, ...rest] }
}

class Reader {
  readonly faults: (EndpointFault & { readonly offset: number })[] = []
  #root: Node | undefined
  /** of the list in the file */
  #at: Path = ['endpoints']

  constructor(
    private readonly text: string,
    private readonly keys: KeySource,
  ) {}

  sorted(): EndpointFault[] {
    return [...this.faults].sort((a, b) => a.offset - b.offset).map(({ offset: _, ...fault }) => fault)
  }

  read(): LlmEndpoint[] {
    const value = this.#json()
    if (value === undefined) return []
    const isList = Array.isArray(value)
    if (isList) this.#at = []
    const parsed = endpointFileSchema.safeParse(isList ? { endpoints: value } : value)
    if (!parsed.success) {
      for (const issue of parsed.error.issues) this.#schemaFault(issue, isList)
      return []
    }
    this.#duplicateNames(parsed.data.endpoints)
    return parsed.data.endpoints.map((entry, index) => this.#endpoint(entry, [...this.#at, index]))
  }

  #json(): unknown {
    const parsed = parseJsonTree(this.text)
    if (isJsonFault(parsed)) {
      const { offset, message } = parsed
      this.faults.push({ ...positionOf(this.text, offset), path: '', message, about: 'file', offset })
      return undefined
    }
    this.#root = parsed
    for (const { path, keyNode } of duplicateKeys(parsed))
      this.#fault(path, `"${String(keyNode.value)}" is there twice`)
    return JSON.parse(this.text)
  }

  #schemaFault(issue: z.core.$ZodIssue, isList: boolean): void {
    const path = issue.path.filter((part) => typeof part !== 'symbol').slice(isList ? 1 : 0)
    if (issue.code === 'unrecognized_keys')
      for (const key of issue.keys) this.#fault([...path, key], unknownFieldText(key))
    else if (issue.code === 'invalid_key') this.#fault(path, issue.issues[0]?.message ?? issue.message)
    else if (issue.code === 'invalid_type' && valueAt(this.#root, path) === undefined)
      this.#fault(path, 'is missing')
    else this.#fault(path, issue.message)
  }

  #duplicateNames(entries: readonly EndpointEntry[]): void {
    const seen = new Set<string>()
    for (const [index, { name }] of entries.entries()) {
      if (seen.has(name)) this.#fault([...this.#at, index, 'name'], `"${name}" is the name of two endpoints`)
      seen.add(name)
    }
  }

  #endpoint(entry: EndpointEntry, at: Path): LlmEndpoint {
    const { auth: _, apiKeyEnv: __, apiKeyFile: ___, rename = {}, ...rest } = entry
    const sent = PARAMETERS.filter((name) => entry.omit?.includes(name) !== true)
    const fields = ['messages', 'stream', ...sent.map((name) => rename[name] ?? name)]
    for (const [ours, theirs] of Object.entries(rename))
      if (
        fields.filter((field) => field === theirs).length > 1 ||
        theirs === 'messages' ||
        theirs === 'stream'
      )
        this.#fault([...at, 'rename', ours], `"${theirs}" is already a field of the request`)
    return llmEndpoint({ ...rest, rename, auth: this.#auth(entry, at) })
  }

  #auth({ auth, apiKeyEnv, apiKeyFile }: EndpointEntry, at: Path): LlmAuth {
    if (apiKeyEnv !== undefined && apiKeyFile !== undefined) {
      this.#fault(
        [...at, 'apiKeyFile'],
        'apiKeyEnv and apiKeyFile are both set; the key comes from one of them',
      )
      return { kind: 'none' }
    }
    const hasKey = apiKeyEnv !== undefined || apiKeyFile !== undefined
    const kind = auth ?? (hasKey ? 'bearer' : 'none')
    if (kind === 'none') {
      if (hasKey) this.#fault([...at, 'auth'], '"none" sends no key, but one is named')
      return { kind }
    }
    if (!hasKey) this.#fault([...at, 'auth'], `"${kind}" needs a key; name it by apiKeyEnv or apiKeyFile`)
    return { kind, key: this.#key(apiKeyEnv, apiKeyFile, at) }
  }

  /** Empty if it is missing, which is a fault. */
  #key(variable: string | undefined, file: string | undefined, at: Path): string {
    if (variable !== undefined) {
      const key = this.keys.variable(variable)?.trim() ?? ''
      if (key === '') this.#fault([...at, 'apiKeyEnv'], `${variable} is not set`, 'key')
      else this.#checkKey(key, [...at, 'apiKeyEnv'], variable)
      return key
    }
    if (file === undefined) return ''
    try {
      const key = this.keys.file(file).trim()
      this.#checkKey(key, [...at, 'apiKeyFile'], file)
      return key
    } catch (thrown) {
      const why = errorCode(thrown) ?? errorText(thrown)
      this.#fault([...at, 'apiKeyFile'], `${file} cannot be read: ${why}`, 'key')
      return ''
    }
  }

  #checkKey(key: string, at: Path, where: string): void {
    if (!KEY.test(key)) this.#fault(at, `${where} must be of visible ASCII characters, without blanks`, 'key')
  }

  #fault(path: Path, message: string, about: EndpointFault['about'] = 'file'): void {
    const offset = this.#root === undefined ? 0 : nodeNear(this.#root, [...path]).offset
    this.faults.push({ ...positionOf(this.text, offset), path: path.join('.'), message, about, offset })
  }
}

function valueAt(root: Node | undefined, path: Path): Node | undefined {
  return root === undefined ? undefined : findNodeAtLocation(root, [...path])
}
