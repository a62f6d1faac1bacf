import { withoutLogin } from '../../core/net/login-of-url.js'

/** bytes; a set of a hundred keys is a tenth of it */
const MAX_BYTES = 1024 * 1024

/** `fetch` for small documents of servers that are not ours. @throws where the body is larger than 1 MiB, and what `fetch` throws */
export async function boundedFetch(address: string, options: RequestInit): Promise<Response> {
  const { url, headers } = withoutLogin(address, options.headers)
  const response = await fetch(url, { ...options, headers })
  if (response.body === null) return response
  if (response.status !== 200) {
    // Nobody reads it.
    await response.body.cancel()
    return new Response(null, { status: response.status })
  }
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of response.body) {
    bytes += piece.byteLength
    // Leaving the loop cancels the body, and with it the connection.
    if (bytes > MAX_BYTES) throw new Error(`the answer is larger than ${MAX_BYTES} bytes`)
    pieces.push(piece)
  }
  return new Response(Buffer.concat(pieces), { status: response.status, headers: response.headers })
}
