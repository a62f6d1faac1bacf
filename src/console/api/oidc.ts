import { signal } from '@preact/signals'
import type { AuthorizationServer, Client } from 'oauth4webapi'
import { type PageConfig, pageConfig } from './page-config.js'
import { readClaims, signIn } from './session.js'

/**
 * Sign-in at an OpenID Connect issuer: authorization code with PKCE, as a public client. The token that comes of it is kept
 * and sent like a pasted one. The library is loaded when somebody signs in, not before.
 */

type Oidc = NonNullable<PageConfig['oidc']>

/** Why a sign-in did not succeed; `said` is the issuer's own word. */
export interface SignInFault {
  readonly kind:
    | 'unreachable'
    | 'no_tokens'
    | 'no_issuer'
    | 'other_origin'
    | 'not_begun'
    | 'denied'
    | 'broken'
    | 'unusable'
  readonly said: string
}

export type SignInState =
  | { readonly state: 'idle' }
  /** on the way to the issuer, or back from it */
  | { readonly state: 'busy' }
  | { readonly state: 'failed'; readonly fault: SignInFault }

export const oidcSignIn = signal<SignInState>({ state: 'idle' })

const CALLBACK = '/console/callback'
const KEY = 'chat-cutover.oidc'
/** ms until a call of the issuer is given up */
const TIMEOUT_MS = 15_000

/** What this tab must still know when the issuer sends the reader back. */
interface Begun {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  /** path and query of the view that the reader wanted */
  readonly from: string
}

class Fault extends Error {
  constructor(
    readonly kind: SignInFault['kind'],
    said: string,
  ) {
    super(said)
  }
}

export const isCallback = (): boolean => location.pathname === CALLBACK

/** Sends the reader to the issuer. */
export const beginSignIn = (): Promise<void> =>
  told(async (oidc) => {
    const oauth = await import('oauth4webapi')
    const server = await discover(oidc)
    const begun: Begun = {
      state: oauth.generateRandomState(),
      nonce: oauth.generateRandomNonce(),
      verifier: oauth.generateRandomCodeVerifier(),
      from: location.pathname + location.search,
    }
    sessionStorage.setItem(KEY, JSON.stringify(begun))
    if (server.authorization_endpoint === undefined) throw new Fault('no_issuer', 'authorization_endpoint')
    const to = new URL(server.authorization_endpoint)
    const parameters = {
      client_id: oidc.clientId,
      redirect_uri: redirectUri(),
      response_type: 'code',
      scope: oidc.scope,
      state: begun.state,
      nonce: begun.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(begun.verifier),
      code_challenge_method: 'S256',
      ...resourceOf(oidc),
    }
    for (const [name, value] of Object.entries(parameters)) to.searchParams.set(name, value)
    location.assign(to)
    return 'leaving'
  })

/** The browser shows the page again as it was left, on the way to the issuer: the reader went back without a sign-in. */
export function comeBack(): void {
  if (oidcSignIn.value.state === 'busy') oidcSignIn.value = { state: 'idle' }
}

/** Back from the issuer: the code becomes a token, and the reader sees the view that was wanted. */
export const finishSignIn = (): Promise<void> => {
  const answered = new URL(location.href)
  const begun = takeBegun()
  // The code is good once; it leaves the address bar and the history of the tab at once.
  history.replaceState(null, '', begun?.from ?? '/console')
  return told(async (oidc) => {
    if (begun === undefined) throw new Fault('not_begun', '')
    const token = await exchange(oidc, begun, answered)
    if (!signIn(token)) throw new Fault('unusable', '')
    return 'done'
  })
}

async function exchange(oidc: Oidc, begun: Begun, answered: URL): Promise<string> {
  const oauth = await import('oauth4webapi')
  const server = await discover(oidc)
  const client: Client = { client_id: oidc.clientId }
  // Another tab, or an old page of the issuer: not a fault of the issuer.
  if (answered.searchParams.get('state') !== begun.state) throw new Fault('not_begun', '')
  const parameters = oauth.validateAuthResponse(server, client, answered, begun.state)
  const response = await reached(
    oauth.authorizationCodeGrantRequest(
      server,
      client,
      oauth.None(),
      parameters,
      redirectUri(),
      begun.verifier,
      {
        ...insecure(oauth, oidc),
        signal: AbortSignal.timeout(TIMEOUT_MS),
        additionalParameters: resourceOf(oidc),
      },
    ),
    // Its metadata came a moment ago. A browser tells a page no difference between "away" and "not for your origin".
    'no_tokens',
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: begun.nonce,
    requireIdToken: true,
  })
  // Many issuers have access tokens that nobody but they can read; their ID tokens can be read by everybody.
  return readClaims(tokens.access_token) === undefined ? (tokens.id_token ?? '') : tokens.access_token
}

async function discover(oidc: Oidc): Promise<AuthorizationServer> {
  const oauth = await import('oauth4webapi')
  const issuer = new URL(oidc.issuer)
  const response = await reached(
    oauth.discoveryRequest(issuer, {
      ...insecure(oauth, oidc),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }),
  )
  const server = await oauth.processDiscoveryResponse(issuer, response).catch((thrown: unknown) => {
    throw new Fault('no_issuer', thrown instanceof Error ? thrown.message : String(thrown))
  })
  // The policy of the page lets it ask the issuer's origin and no other.
  const at = new URL(server.token_endpoint ?? issuer).origin
  if (at !== issuer.origin) throw new Fault('other_origin', at)
  return server
}

/** The settings allow plain http on this machine alone. */
const insecure = (oauth: typeof import('oauth4webapi'), { issuer }: Oidc) => ({
  [oauth.allowInsecureRequests]: issuer.startsWith('http:'),
})

const resourceOf = ({ resource }: Oidc): Record<string, string> =>
  resource === undefined ? {} : { resource }

const redirectUri = (): string => location.origin + CALLBACK

/** `fetch` has one kind of error for everything that is no answer. */
const reached = (
  asked: Promise<Response>,
  otherwise: SignInFault['kind'] = 'unreachable',
): Promise<Response> =>
  asked.catch((thrown: unknown) => {
    throw new Fault(otherwise, thrown instanceof Error ? thrown.message : String(thrown))
  })

/** Taken once: a page that is loaded again does not spend the code twice. */
function takeBegun(): Begun | undefined {
  const kept = sessionStorage.getItem(KEY)
  sessionStorage.removeItem(KEY)
  // Ours alone, of this tab and this build.
  return kept === null ? undefined : (JSON.parse(kept) as Begun)
}

async function told(step: (oidc: Oidc) => Promise<'leaving' | 'done'>): Promise<void> {
  const { oidc } = pageConfig.value
  if (oidc === null) return
  oidcSignIn.value = { state: 'busy' }
  try {
    if ((await step(oidc)) === 'done') oidcSignIn.value = { state: 'idle' }
  } catch (thrown) {
    oidcSignIn.value = { state: 'failed', fault: await faultOf(thrown) }
  }
}

async function faultOf(thrown: unknown): Promise<SignInFault> {
  if (thrown instanceof Fault) return { kind: thrown.kind, said: thrown.message }
  const { AuthorizationResponseError, ResponseBodyError } = await import('oauth4webapi')
  if (thrown instanceof AuthorizationResponseError || thrown instanceof ResponseBodyError)
    return { kind: 'denied', said: thrown.error_description ?? thrown.error }
  return { kind: 'broken', said: thrown instanceof Error ? thrown.message : String(thrown) }
}
