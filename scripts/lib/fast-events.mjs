// A proxy before the service that tells each `metrics` event several times, a part of a second apart: a page behind it lives
// through hours in minutes. Everything else passes through as it is.
import { createServer, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

/** ms between two metrics events of the service */
const TICK_MS = 1_000

/**
 * @param {string} url of the service
 * @param {() => number} speed metrics events for each one of the service, asked each time
 */
export async function speedUp(url, speed) {
  const service = new URL(url)
  const server = createServer((incoming, outgoing) => {
    const forward = request(
      {
        host: service.hostname,
        port: service.port,
        method: incoming.method,
        path: incoming.url,
        headers: { ...incoming.headers, host: service.host },
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        const isEvents = incoming.url?.startsWith('/api/v1/runtime/events')
        if (isEvents) void relay(answer, outgoing, speed)
        else answer.pipe(outgoing)
      },
    )
    forward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => forward.destroy())
    incoming.pipe(forward)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function relay(answer, outgoing, speed) {
  let rest = ''
  answer.setEncoding('utf8')
  try {
    for await (const chunk of answer) {
      const events = `${rest}${chunk}`.split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1]
        if (!/^event: metrics$/m.test(event) || data === undefined) {
          outgoing.write(`${event}\n\n`)
          continue
        }
        const metrics = JSON.parse(data)
        const times = speed()
        for (let part = 0; part < times; part += 1) {
          const at = new Date(Date.parse(metrics.at) + (part * TICK_MS) / times).toISOString()
          const text = JSON.stringify({ ...metrics, at })
          outgoing.write(`${event.replace(data, () => text)}\n\n`)
          if (part < times - 1) await pause(TICK_MS / times / 2)
        }
      }
    }
  } catch {
    // The page or the service has gone.
  }
  outgoing.end()
}
