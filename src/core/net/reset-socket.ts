import type { Socket } from 'node:net'

/**
 * Resets a connection: what waits for the peer is dropped, and the peer reads no clean end. A socket whose own end is just on its
 * way to the system is destroyed without a reset: Node (20 to 26) would take it for closed and never close it, so its file
 * descriptor would stay, and the process would not end by itself.
 */
export function resetSocket(socket: Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (isEnding) socket.destroy()
  else socket.resetAndDestroy()
}
