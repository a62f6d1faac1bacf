import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Rule {
  readonly attribute: string
  readonly values: readonly string[]
  /** index of the variation */
  readonly variation: number
}

/** The streaming service of LaunchDarkly, as its server SDK reads it: one event with all flags, then one for each change. */
export class LaunchDarklyStandIn {
  readonly #flags = new Map<string, object>()
  readonly #streams = new Set<ServerResponse>()
  #server: Server | undefined
  #port = 0
  #version = 0
  /** connections so far */
  connections = 0

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Listens, the second time on the same port. */
  async start(): Promise<void> {
    const server = createServer((request, response) => {
      if (request.url !== '/all' || request.headers.authorization !== 'sdk-for-tests')
        return void response.writeHead(404).end()
      this.connections += 1
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      this.#streams.add(response)
      response.on('close', () => this.#streams.delete(response))
      send(response, 'put', { path: '/', data: { flags: Object.fromEntries(this.#flags), segments: {} } })
    })
    this.#server = server
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#port = (server.address() as AddressInfo).port
  }

  /** Gone, with all its connections. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }

  set(key: string, variations: readonly unknown[], fallthrough: number, rules: readonly Rule[] = []): void {
    this.#version += 1
    const flag = {
      key,
      version: this.#version,
      on: true,
      prerequisites: [],
      targets: [],
      rules: rules.map(({ attribute, values, variation }, at) => ({
        id: `rule-${at}`,
        variation,
        clauses: [{ contextKind: 'user', attribute, op: 'in', values, negate: false }],
      })),
      fallthrough: { variation: fallthrough },
      offVariation: 0,
      variations,
      salt: 'salt',
      trackEvents: false,
      deleted: false,
    }
    this.#flags.set(key, flag)
    for (const stream of this.#streams) send(stream, 'patch', { path: `/flags/${key}`, data: flag })
  }
}

const send = (response: ServerResponse, event: string, data: object): void =>
  void response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
