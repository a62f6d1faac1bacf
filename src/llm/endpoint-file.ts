import type { JSONPath, Node } from 'jsonc-parser'
import type { z } from 'zod'
import type { Bilingual } from '../core/bilingual.js'
import { errorCode, errorText } from '../core/errors.js'
import { twice } from '../core/json/flag-list.js'
import { duplicateKeys, isJsonFault, nodeNear, parseJsonTree, positionOf } from '../core/json/json-tree.js'
import { type LlmAuth, type LlmEndpoint, type LlmEndpoints, llmEndpoint } from './endpoint.js'
import {
  type EndpointEntry,
  endpointFaultText,
  endpointFileSchema,
  PARAMETERS,
  unknownFieldText,
} from './endpoint-schema.js'

/** One thing wrong in the file of endpoints; never with a key in it. */
export interface EndpointFault {
  /** both 1-based */
  readonly line: number
  readonly column: number
  /** as `endpoints.0.baseUrl`; empty for the whole file */
  readonly path: string
  readonly message: string
  /** the message in Chinese */
  readonly zh: string
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
    const parsed = endpointFileSchema.safeParse(isList ? { endpoints: value } : value, { reportInput: true })
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
      this.#push(parsed.offset, '', parsed.message, 'file')
      return undefined
    }
    this.#root = parsed
    for (const { path, keyNode } of duplicateKeys(parsed)) this.#fault(path, twice(String(keyNode.value)))
    return JSON.parse(this.text)
  }

  #schemaFault(issue: z.core.$ZodIssue, isList: boolean): void {
    const path = issue.path.filter((part) => typeof part !== 'symbol').slice(isList ? 1 : 0)
    if (issue.code === 'unrecognized_keys')
      for (const key of issue.keys) this.#fault([...path, key], unknownFieldText(key))
    else
      this.#fault(path, endpointFaultText(issue.code === 'invalid_key' ? (issue.issues[0] ?? issue) : issue))
  }

  #duplicateNames(entries: readonly EndpointEntry[]): void {
    const seen = new Set<string>()
    for (const [index, { name }] of entries.entries()) {
      if (seen.has(name))
        this.#fault([...this.#at, index, 'name'], {
          en: `"${name}" is the name of two endpoints`,
          'zh-CN': `两个端点都名为 "${name}"`,
        })
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
        this.#fault([...at, 'rename', ours], {
          en: `"${theirs}" is already a field of the request`,
          'zh-CN': `请求中已有字段 "${theirs}"`,
        })
    return llmEndpoint({ ...rest, rename, auth: this.#auth(entry, at) })
  }

  #auth({ auth, apiKeyEnv, apiKeyFile }: EndpointEntry, at: Path): LlmAuth {
    if (apiKeyEnv !== undefined && apiKeyFile !== undefined) {
      this.#fault([...at, 'apiKeyFile'], {
        en: 'apiKeyEnv and apiKeyFile are both set; the key comes from one of them',
        'zh-CN': '同时设置了 apiKeyEnv 与 apiKeyFile；密钥只能来自其中之一',
      })
      return { kind: 'none' }
    }
    const hasKey = apiKeyEnv !== undefined || apiKeyFile !== undefined
    const kind = auth ?? (hasKey ? 'bearer' : 'none')
    if (kind === 'none') {
      if (hasKey)
        this.#fault([...at, 'auth'], {
          en: '"none" sends no key, but one is named',
          'zh-CN': '"none" 不发送密钥，但指定了密钥',
        })
      return { kind }
    }
    if (!hasKey)
      this.#fault([...at, 'auth'], {
        en: `"${kind}" needs a key; name it by apiKeyEnv or apiKeyFile`,
        'zh-CN': `"${kind}" 需要密钥；请用 apiKeyEnv 或 apiKeyFile 指明`,
      })
    return { kind, key: this.#key(apiKeyEnv, apiKeyFile, at) }
  }

  /** Empty if it is missing, which is a fault. */
  #key(variable: string | undefined, file: string | undefined, at: Path): string {
    if (variable !== undefined) {
      const key = this.keys.variable(variable)?.trim() ?? ''
      if (key === '')
        this.#fault(
          [...at, 'apiKeyEnv'],
          { en: `${variable} is not set`, 'zh-CN': `${variable} 未设置` },
          'key',
        )
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
      this.#fault(
        [...at, 'apiKeyFile'],
        { en: `${file} cannot be read: ${why}`, 'zh-CN': `${file} 无法读取：${why}` },
        'key',
      )
      return ''
    }
  }

  #checkKey(key: string, at: Path, where: string): void {
    if (KEY.test(key)) return
    this.#fault(
      at,
      {
        en: `${where} must be of visible ASCII characters, without blanks`,
        'zh-CN': `${where} 必须由可见 ASCII 字符组成，不含空白`,
      },
      'key',
    )
  }

  #fault(path: Path, said: Bilingual, about: EndpointFault['about'] = 'file'): void {
    const offset = this.#root === undefined ? 0 : nodeNear(this.#root, [...path]).offset
    this.#push(offset, path.join('.'), said, about)
  }

  #push(offset: number, path: string, said: Bilingual, about: EndpointFault['about']): void {
    const { en: message, 'zh-CN': zh } = said
    this.faults.push({ ...positionOf(this.text, offset), path, message, zh, about, offset })
  }
}
