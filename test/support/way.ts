import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A port whose connections lead to one server, and later to another. */
export interface Way {
  readonly port: number
  to(port: number): void
  /** Breaks the connections there are. */
  cut(): void
  close(): Promise<void>
}

export async function openWay(first: number, host = '127.0.0.1'): Promise<Way> {
  let target = first
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(target, host)
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream).pipe(client)
  })
  const end = (): void => {
    for (const socket of open) socket.destroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    to(port) {
      target = port
      end()
    },
    cut: end,
    async close() {
      server.close()
      end()
      await once(server, 'close')
    },
  }
}
