import { once } from 'node:events'
import type { Server } from 'node:http'
import { errorCode, errorText } from './core/errors.js'

/** Where the service listens: HOST and PORT. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** ms left to a connection that is still open after the drain */
const LAST_WRITES_MS = 500

/** @returns the URL, with the port that was taken @throws with what to do, ready to print */
export async function listen(server: Server, address: ListenAddress): Promise<string> {
  server.listen(address.port, address.host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new Error(listenFault(address, errorCode(error) ?? errorText(error)), { cause: error })
  }
  return urlOf(server, address.host)
}

function listenFault({ host, port }: ListenAddress, code: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `PORT=${port} on ${host} is taken by another process; set PORT to a free one (0 takes any)`
    case 'EACCES':
      return `PORT=${port} needs rights this process has not; set PORT to 1024 or above`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `HOST=${host} is no address of this machine (${code}); 127.0.0.1 is this machine alone, 0.0.0.0 all addresses`
    default:
      return `cannot listen on HOST=${host} PORT=${port}: ${code}`
  }
}

/** No connection outlives the drain: idle ones go at once, the others after their last writes. */
export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), LAST_WRITES_MS)
  await closed
  clearTimeout(timer)
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
