import { signal } from '@preact/signals'

/** `GET /console/config.json`: what the page must know before anybody signed in. */
export interface PageConfig {
  /** the runtime is a simulator that may be broken from here */
  readonly demo: boolean
  /** the least role that sees more than its own org */
  readonly operatorRole: 'admin' | 'owner'
  /** sign-in by the organisation's own pages, where it is configured */
  readonly oidc: {
    readonly issuer: string
    readonly clientId: string
    readonly scope: string
    readonly resource?: string
  } | null
}

/** ms; nothing is shown before */
const TIMEOUT_MS = 3_000

export const pageConfig = signal<PageConfig>({ demo: false, operatorRole: 'admin', oidc: null })

/** Without an answer the page has the sign-in by token alone. */
export async function readPageConfig(): Promise<void> {
  try {
    const response = await fetch('/console/config.json', { signal: AbortSignal.timeout(TIMEOUT_MS) })
    if (response.ok) pageConfig.value = (await response.json()) as PageConfig
  } catch {
    // A token can still be pasted.
  }
}
