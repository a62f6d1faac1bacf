import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A page of an origin of its own. */
export interface PageServer {
  /** `http://127.0.0.1:…` */
  readonly origin: string
  close(): void
}

/** @param body HTML of the page, which every path answers. @param script what `/page.js` answers */
export async function servePage(body = '', script?: string): Promise<PageServer> {
  const server = createServer(({ url }, response) => {
    const isScript = script !== undefined && url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? script : `<!doctype html><title>a page</title>${body}`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => void server.close(),
  }
}
