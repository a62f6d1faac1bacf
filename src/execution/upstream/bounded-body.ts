import type { Clock } from '../../core/clock.js'
import { decodedBody } from './decoded-body.js'
import type { UpstreamResponse } from './upstream-response.js'

/** Enough for any error body worth reading. */
const MAX_BYTES = 65_536
const MAX_MS = 1000

/** The JSON of an error body, or undefined: not JSON, too long, too slow or broken. Never rejects. */
export async function readErrorBody(response: UpstreamResponse, clock: Clock): Promise<unknown> {
  const timer = clock.schedule(MAX_MS, () => response.destroy())
  try {
    const body = await readWhole(response)
    return body === undefined ? undefined : JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  } finally {
    timer.cancel()
  }
}

/** Undefined where it is too long or broken. @throws ExecutionError for an encoding that is not known */
function readWhole(response: UpstreamResponse): Promise<Buffer | undefined> {
  const body = decodedBody(response)
  const chunks: Buffer[] = []
  let bytes = 0
  return new Promise((resolve) => {
    body.listen({
      data(chunk) {
        bytes += chunk.length
        chunks.push(chunk)
        if (bytes <= MAX_BYTES) return
        body.close()
        resolve(undefined)
      },
      end: (fault) => resolve(fault === undefined ? Buffer.concat(chunks) : undefined),
    })
  })
}
