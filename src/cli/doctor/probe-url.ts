import { errorCode, errorText } from '../../core/errors.js'
import { withoutLogin } from '../../core/net/login-of-url.js'

/** What one address answered to a GET. */
export type Probed =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body: string
      readonly ms: number
      readonly skewMs: number | undefined
    }
  | { readonly kind: 'failed'; readonly why: string }

const MAX_BODY = 65_536
/** ms */
const DEADLINE_MS = 5_000

interface Probe {
  readonly headers?: Readonly<Record<string, string>>
  readonly interrupted: AbortSignal
  /** wall-clock ms */
  readonly now: () => number
}

/** Never rejects. `skewMs`: by how much the other's clock is ahead of ours, from its `Date` header, to a second. */
export async function probeUrl(address: string, { headers = {}, interrupted, now }: Probe): Promise<Probed> {
  const sentAt = now()
  try {
    const { url, headers: all } = withoutLogin(address, headers)
    const response = await fetch(url, {
      headers: all,
      // A key goes to the address that was named, and no further.
      redirect: 'manual',
      signal: AbortSignal.any([interrupted, AbortSignal.timeout(DEADLINE_MS)]),
    })
    const headAt = now()
    const date = Date.parse(response.headers.get('date') ?? '')
    const body = (await response.text()).slice(0, MAX_BODY)
    // The header has whole seconds, cut off: half of one is the likely rest.
    const skewMs = Number.isNaN(date) ? undefined : date + 500 - (sentAt + headAt) / 2
    return { kind: 'answer', status: response.status, body, ms: headAt - sentAt, skewMs }
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'TimeoutError')
      return { kind: 'failed', why: `no answer within ${DEADLINE_MS / 1000} s` }
    const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown
    return { kind: 'failed', why: errorCode(cause) ?? errorText(cause) }
  }
}
