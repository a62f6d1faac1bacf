import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { errorCode, errorText } from '../core/errors.js'
import { type EndpointFile, parseEndpointFile } from './endpoint-file.js'

export type LoadedEndpoints = EndpointFile | { readonly kind: 'unreadable'; readonly why: string }

/** Reads the file of endpoints and the keys that it names; a relative key file begins at the file's directory. Never throws. */
export function loadEndpoints(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
): LoadedEndpoints {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (thrown) {
    return { kind: 'unreadable', why: errorCode(thrown) ?? errorText(thrown) }
  }
  return parseEndpointFile(text, {
    variable: (name) => env[name],
    file: (keyPath) => readFileSync(resolve(dirname(path), keyPath), 'utf8'),
  })
}
