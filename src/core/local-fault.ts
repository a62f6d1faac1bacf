import { errorCode } from './errors.js'

/** No file descriptor, port or memory left: this machine's fault, whatever server was called. */
const OWN = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM'])
/** A name that is not resolved: perhaps unknown, perhaps the resolver is away. */
const DNS = /^(?:ENOTFOUND$|EAI_)/

/** The system's code of a fault that says nothing about the server that was called. */
export function localFaultOf(error: unknown): string | undefined {
  const code = errorCode(error)
  return code !== undefined && OWN.has(code) ? code : undefined
}

/** A probe's code where the direct LLM's name is not resolved either. */
export const OWN_DNS = 'own_dns'

export const isLocalFaultCode = (code: string): boolean => OWN.has(code) || code === OWN_DNS

export const isDnsFaultCode = (code: string | undefined): boolean => code !== undefined && DNS.test(code)
