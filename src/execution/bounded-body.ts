import type { Clock } from '../core/clock.js'
import { decodedBody } from './decoded-body.js'
import type { UpstreamResponse } from './upstream-response.js'

/** Enough for any error body worth reading. */
const MAX_BYTES = 65_536
const MAX_MS = 1000

/** The JSON of an error body, or undefined: not JSON, too long, too slow or broken. Never rejects. */
export async function readErrorBody(response: UpstreamResponse, clock: Clock): Promise<unknown> {
  const timer = clock.schedule(MAX_MS, () => response.destroy())
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    const body = decodedBody(response)
    for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
      bytes += chunk.length
      if (bytes > MAX_BYTES) return undefined
      chunks.push(chunk)
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  } finally {
    timer.cancel()
  }
}
