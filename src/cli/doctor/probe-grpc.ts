import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { isIPv6 } from 'node:net'
import { errorCode, errorText } from '../../core/errors.js'

/** Why no gRPC connection comes about. */
export interface GrpcFault {
  readonly kind: 'unreachable' | 'certificate' | 'no_tls' | 'no_grpc'
  readonly why: string
}

interface Address {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** file of the authorities that count instead of Node's own and those of `NODE_EXTRA_CA_CERTS`, as grpc-js has it */
  readonly authorities: string | undefined
  /** default 3,000 */
  readonly limitMs?: number
}

const CONNECT_MS = 3_000
/** codes of OpenSSL and Node for a certificate that is not trusted, not of today or of another name */
const CERTIFICATE = /CERT|UNABLE_TO_|_CA$|ALTNAME|CRL/
/** a plain answer where TLS was to begin */
const NO_TLS = /WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH/

/** Connects as gRPC does and waits for the first word of HTTP/2; no call is made. Never rejects. */
export async function probeGrpc({
  host,
  port,
  tls,
  authorities,
  limitMs = CONNECT_MS,
}: Address): Promise<GrpcFault | undefined> {
  let ca: Buffer | undefined
  try {
    if (tls && authorities !== undefined) ca = readFileSync(authorities)
  } catch (error) {
    return {
      kind: 'certificate',
      why: `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=${authorities}: ${errorCode(error) ?? errorText(error)}`,
    }
  }
  const url = `${tls ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${port}`
  if (!URL.canParse(url)) return { kind: 'unreachable', why: 'this is no address' }
  const session = connect(url, ca === undefined ? {} : { ca })
  return new Promise((resolve) => {
    const end = (fault: GrpcFault | undefined): void => {
      clearTimeout(timer)
      resolve(fault)
      session.destroy()
    }
    const timer = setTimeout(() => {
      // A TLS server waits for its handshake while it is spoken to without.
      const isConnected = session.socket !== undefined && !session.connecting
      const why = `${isConnected ? 'no HTTP/2' : 'no connection'} within ${limitMs / 1000} s`
      end({ kind: isConnected ? 'no_grpc' : 'unreachable', why })
    }, limitMs)
    session.once('remoteSettings', () => end(undefined))
    session.on('error', (error) => end(faultOf(error, tls)))
    session.once('close', () => end({ kind: 'no_grpc', why: 'it closes the connection' }))
  })
}

function faultOf(error: unknown, tls: boolean): GrpcFault {
  const code = errorCode(error) ?? ''
  const why = code === '' ? errorText(error) : code
  if (tls && CERTIFICATE.test(code)) return { kind: 'certificate', why }
  if (tls && NO_TLS.test(code)) return { kind: 'no_tls', why }
  // What was heard is no HTTP/2, or the other end was told something it does not understand.
  return { kind: /HTTP2|ECONNRESET|EPIPE/.test(code) ? 'no_grpc' : 'unreachable', why }
}
