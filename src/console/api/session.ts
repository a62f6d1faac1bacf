import { computed, signal } from '@preact/signals'
import type { Role } from '../../protocol/api.js'
import { pageConfig } from './page-config.js'

/** Who looks at the page: a bearer token, kept in this tab alone. */

const KEY = 'chat-cutover.token'

/** What the page reads of a token. The service alone verifies it. */
export interface Claims {
  readonly userId: string
  readonly orgId: string
  readonly role: Role
  /** ms since 1970 */
  readonly expiresAt: number
}

/** `unreadable`: the address had a token that is none of this service. */
export type SignedOut = 'expired' | 'refused' | 'unreadable'

export const token = signal<string | undefined>(sessionStorage.getItem(KEY) ?? undefined)
/** Why nobody is signed in, until the next sign-in. */
export const signedOutBecause = signal<SignedOut | undefined>(undefined)
export const claims = computed<Claims | undefined>(() =>
  token.value === undefined ? undefined : readClaims(token.value),
)
/** `org`: an admin where several orgs share the service. `none`: a member may chat and sees nothing of the operators' data. */
export const reach = computed<'all' | 'org' | 'none'>(() => {
  const role = claims.value?.role
  if (role === 'owner' || role === pageConfig.value.operatorRole) return 'all'
  return role === 'admin' ? 'org' : 'none'
})

let expiry: ReturnType<typeof setTimeout> | undefined

export function signIn(newToken: string): boolean {
  const trimmed = newToken.trim().replace(/^Bearer\s+/i, '')
  const read = readClaims(trimmed)
  if (read === undefined) return false
  sessionStorage.setItem(KEY, trimmed)
  signedOutBecause.value = undefined
  token.value = trimmed
  watchExpiry(read.expiresAt)
  return true
}

export function signOut(because?: SignedOut): void {
  clearTimeout(expiry)
  sessionStorage.removeItem(KEY)
  signedOutBecause.value = because
  token.value = undefined
}

/**
 * `…/console#token=…` signs in, as the demo prints it. The fragment never reaches a server, and it leaves the address bar
 * and the history of the tab at once.
 */
export function takeTokenFromAddress(): void {
  const given = /^#token=(.+)$/.exec(location.hash)?.[1]
  if (given !== undefined) {
    history.replaceState(null, '', location.pathname + location.search)
    // Never as the one before: a person who follows such a link wants to be this reader.
    if (!signIn(decoded(given))) signOut('unreadable')
  } else if (claims.value !== undefined) watchExpiry(claims.value.expiresAt)
}

/** As it stands where it is no encoded text. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The longest wait that a browser's timer holds, in ms. */
const LONGEST_WAIT = 2 ** 31 - 1

function watchExpiry(expiresAt: number): void {
  clearTimeout(expiry)
  const left = expiresAt - Date.now()
  if (left > LONGEST_WAIT) return
  expiry = setTimeout(() => signOut('expired'), Math.max(0, left))
}

export function readClaims(text: string): Claims | undefined {
  const payload = text.split('.')[1]
  if (payload === undefined) return undefined
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
      c.charCodeAt(0),
    )
    const read: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (typeof read !== 'object' || read === null) return undefined
    const { sub, org_id: orgId, role, exp } = read as Record<string, unknown>
    if (typeof sub !== 'string' || typeof orgId !== 'string' || typeof exp !== 'number') return undefined
    if (role !== 'member' && role !== 'admin' && role !== 'owner') return undefined
    return { userId: sub, orgId, role, expiresAt: exp * 1000 }
  } catch {
    return undefined
  }
}
