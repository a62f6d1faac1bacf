import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

/** How the next sign-in goes. */
export interface OidcScript {
  /** of both tokens, beside those of the protocol */
  claims: JWTPayload
  /** without a resource in both requests the access token is a word that only the issuer understands */
  opaque: boolean
  /** the reader presses "no" */
  denies: boolean
  /** its token address allows no other origin, while its metadata does: so is oidc-provider where nobody has set it up */
  noTokenCors: boolean
  /** the ID token answers another sign-in */
  wrongNonce: boolean
  /** the origin that the metadata give for tokens; default: the issuer's own */
  tokenOrigin?: string
}

/**
 * An OpenID Connect issuer for one public client: discovery, PKCE (S256), resources (RFC 8707), its name in each answer (RFC 9207),
 * tokens by RS256. Everybody who comes is signed in at once. Compared with oidc-provider 9.13.3 where it answers the console.
 */
export interface OidcIssuer {
  readonly url: string
  readonly script: OidcScript
  /** what it was asked for at its sign-in page */
  readonly asked: URLSearchParams[]
  close(): Promise<void>
}

export async function startOidcIssuer(clientId: string): Promise<OidcIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'key-1', alg: 'RS256', use: 'sig' }
  const script: OidcScript = {
    claims: {},
    opaque: false,
    denies: false,
    noTokenCors: false,
    wrongNonce: false,
  }
  const asked: URLSearchParams[] = []
  const codes = new Map<string, URLSearchParams>()
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const sign = (claims: JWTPayload, audience: string, header: { typ?: string } = {}): Promise<string> =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'key-1', ...header })
      .setIssuer(url)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey)

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', url)
    if (pathname !== '/token' || !script.noTokenCors)
      response.setHeader('access-control-allow-origin', request.headers.origin ?? '*')
    const json = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    switch (pathname) {
      case '/.well-known/openid-configuration':
        return json(200, {
          issuer: url,
          authorization_endpoint: `${url}/authorize`,
          token_endpoint: `${script.tokenOrigin ?? url}/token`,
          jwks_uri: `${url}/jwks`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
          code_challenge_methods_supported: ['S256'],
          authorization_response_iss_parameter_supported: true,
        })
      case '/jwks':
        return json(200, { keys: [jwk] })
      case '/authorize': {
        asked.push(searchParams)
        const back = new URL(searchParams.get('redirect_uri') ?? url)
        back.searchParams.set('state', searchParams.get('state') ?? '')
        back.searchParams.set('iss', url)
        if (script.denies) {
          back.searchParams.set('error', 'access_denied')
          back.searchParams.set('error_description', 'the reader said no')
        } else {
          const code = randomUUID()
          codes.set(code, searchParams)
          back.searchParams.set('code', code)
        }
        response.writeHead(302, { location: back.href }).end()
        return
      }
      case '/token': {
        const form = new URLSearchParams(await textOf(request))
        const begun = codes.get(form.get('code') ?? '')
        codes.delete(form.get('code') ?? '')
        const challenge = createHash('sha256')
          .update(form.get('code_verifier') ?? '')
          .digest('base64url')
        if (
          begun === undefined ||
          form.get('client_id') !== clientId ||
          form.get('redirect_uri') !== begun.get('redirect_uri') ||
          begun.get('code_challenge') !== challenge
        )
          return json(400, { error: 'invalid_grant', error_description: 'this code is not good' })
        const resource = form.get('resource')
        if (resource !== null && resource !== begun.get('resource'))
          return json(400, { error: 'invalid_target', error_description: 'this resource was not granted' })
        const nonce = script.wrongNonce ? 'another' : (begun.get('nonce') ?? '')
        const claims = { sub: 'somebody', ...script.claims }
        return json(200, {
          access_token:
            script.opaque && resource === null
              ? randomUUID()
              : await sign(claims, resource ?? 'chat-cutover', { typ: 'at+jwt' }),
          id_token: await sign({ ...claims, nonce }, clientId),
          token_type: 'Bearer',
          expires_in: 3600,
        })
      }
      default:
        return json(404, { error: 'not_found' })
    }
  }

  return {
    url,
    script,
    asked,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
