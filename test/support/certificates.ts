import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineMissing } from './engines.js'

/** Paths of PEM files. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** A certificate authority of the test's own. */
export interface Authority {
  /** path of its certificate */
  readonly ca: string
  /** @param name DNS name that the certificate is for */
  issue(name: string): Certificate
}

const DAYS = ['-days', '2']
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** @param folder where its files go. @throws EngineMissing where there is no openssl */
export function makeAuthority(folder: string, name = 'ca'): Authority {
  if (spawnSync('openssl', ['version']).status !== 0) throw new EngineMissing('no openssl on the PATH')
  const at = (file: string): string => join(folder, `${name}-${file}`)
  const ca = at('cert.pem')
  const caKey = at('key.pem')
  openssl('req', '-x509', ...KEY, ...DAYS, '-subj', `/CN=${name}`, '-keyout', caKey, '-out', ca)
  return {
    ca,
    issue(subject) {
      const [cert, key, request, extensions] = ['pem', 'key', 'csr', 'ext'].map((kind) =>
        at(`${subject}.${kind}`),
      )
      if (cert === undefined || key === undefined || request === undefined || extensions === undefined)
        throw new Error('four names make four paths')
      openssl('req', ...KEY, '-subj', `/CN=${subject}`, '-keyout', key, '-out', request)
      writeFileSync(extensions, `subjectAltName=DNS:${subject}\n`)
      const by = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-extfile', extensions]
      openssl('x509', '-req', '-in', request, ...by, ...DAYS, '-out', cert)
      return { cert, key }
    },
  }
}

const openssl = (...args: string[]): unknown =>
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })

export const pemOf = (path: string): string => readFileSync(path, 'utf8')
