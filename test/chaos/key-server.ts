import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { freePort } from '../support/free-port.js'
import type { bearer } from '../support/processes.js'

const ALGORITHM = 'ES256'
const KEY_ID = 'key-1'

/** What it does with a request: answers, answers 503 as one that starts, or takes it and says nothing. */
export type KeyServerMode = 'answers' | 'starts' | 'hangs'

/** A key server as `JWKS_URL` names one, always on the same port, and who signs tokens by its key. */
export class KeyServer {
  #server: Server | undefined
  mode: KeyServerMode = 'answers'
  /** requests since the start */
  asked = 0

  private constructor(
    private readonly port: number,
    private readonly privateKey: CryptoKey,
    private readonly keys: readonly JWK[],
  ) {}

  static async start(): Promise<KeyServer> {
    const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true })
    const jwk = { ...(await exportJWK(publicKey)), alg: ALGORITHM, kid: KEY_ID }
    const server = new KeyServer(await freePort(), privateKey, [jwk])
    await server.open()
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/keys`
  }

  readonly bearer: typeof bearer = async (claims = {}) => {
    const token = await new SignJWT({ org_id: claims.org ?? 'acme', role: claims.role ?? 'member' })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid: KEY_ID })
      .setSubject(claims.user ?? 'user-1')
      .setExpirationTime('1h')
      .sign(this.privateKey)
    return `Bearer ${token}`
  }

  async open(): Promise<void> {
    const server = createServer((_request, response) => {
      this.asked += 1
      if (this.mode === 'hangs') return
      response.statusCode = this.mode === 'answers' ? 200 : 503
      response.end(JSON.stringify({ keys: this.keys }))
    })
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
  }

  /** Connections are refused from now on. */
  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
}
