import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { type Bilingual, same } from '../bilingual.js'
import { errorCode } from '../errors.js'

type Environment = Readonly<Record<string, string | undefined>>

/** The variables whose value may come from a file: `JWT_SECRET_FILE` names the file of `JWT_SECRET`. */
export const SECRET_VARIABLES = [
  'JWT_SECRET',
  'LLM_API_KEY',
  'CHAT_NOTIFY_URL',
  'CHAT_NOTIFY_SECRET',
  'CHAT_DATABASE',
  'CHAT_FLAG_STORE',
  'CHAT_REDIS_URL',
] as const

/** bytes; a real secret is a thousandth of it */
const MAX_SECRET_BYTES = 64 * 1024

/** The environment with the secrets of its files, and what is wrong with these. */
export interface WithSecrets {
  readonly env: Record<string, string | undefined>
  /** each names the variable; never its value, which could be the secret by mistake, nor the content of the file */
  readonly faults: readonly Bilingual[]
}

/**
 * Reads each file that a `*_FILE` variable names, as Docker and Kubernetes mount secrets. Line breaks at its end are removed. An empty
 * variable counts as not set. Never throws, and never waits for a pipe.
 */
export function withSecretFiles(env: Environment): WithSecrets {
  const all: Record<string, string | undefined> = { ...env }
  const faults: Bilingual[] = []
  for (const name of SECRET_VARIABLES) {
    const path = env[`${name}_FILE`]
    if (path === undefined || path.trim() === '') continue
    if (env[name] !== undefined && env[name].trim() !== '') {
      faults.push({
        en: `${name} and ${name}_FILE are both set; the value comes from one of them`,
        'zh-CN': `${name} 与 ${name}_FILE 同时设置；取值只能来自其中之一`,
      })
      continue
    }
    const read = readSecret(path)
    if (read.why === undefined) all[name] = read.secret
    else
      faults.push({
        en: `${name}_FILE names a file that cannot be used: ${read.why.en}`,
        'zh-CN': `${name}_FILE 指定的文件无法使用：${read.why['zh-CN']}`,
      })
  }
  return { env: all, faults }
}

type Read = { readonly secret: string; readonly why?: never } | { readonly why: Bilingual }

function readSecret(path: string): Read {
  try {
    const bytes = readBounded(path)
    if (bytes === undefined) return { why: { en: 'it is not a regular file', 'zh-CN': '不是普通文件' } }
    if (bytes.length > MAX_SECRET_BYTES)
      return {
        why: {
          en: `it is larger than ${MAX_SECRET_BYTES} bytes`,
          'zh-CN': `超过 ${MAX_SECRET_BYTES} 字节`,
        },
      }
    const secret = new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/[\r\n]+$/, '')
    return secret.trim() === '' ? { why: { en: 'it is empty', 'zh-CN': '文件为空' } } : { secret }
  } catch (thrown) {
    // The message of a system error has the path in it.
    if (thrown instanceof TypeError)
      return { why: { en: 'it is not UTF-8 text', 'zh-CN': '不是 UTF-8 文本' } }
    const code = errorCode(thrown)
    return { why: code === undefined ? { en: 'unknown fault', 'zh-CN': '未知错误' } : same(code) }
  }
}

/** One byte more than is allowed where there is more; undefined for anything but a regular file. */
function readBounded(path: string): Buffer | undefined {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    if (!fstatSync(file).isFile()) return undefined
    const bytes = Buffer.alloc(MAX_SECRET_BYTES + 1)
    let length = 0
    for (;;) {
      const count = readSync(file, bytes, length, bytes.length - length, null)
      length += count
      if (count === 0 || length === bytes.length) return bytes.subarray(0, length)
    }
  } finally {
    closeSync(file)
  }
}
