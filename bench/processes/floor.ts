import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'

/**
 * The floors, bare Node: `pipe` copies the upstream's bytes; `loop` parses each event, maps it to the client's shape and
 * writes it, once per event. No routing, no auth, no flags, no history, no deadlines.
 */
const [kind, upstream] = process.argv.slice(2)
if ((kind !== 'pipe' && kind !== 'loop') || upstream === undefined)
  throw new Error('usage: floor.ts pipe|loop URL')

const agent = new Agent({ keepAlive: true })

const SSE = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
}

function loop(source: IncomingMessage, response: ServerResponse): void {
  let rest = ''
  let id = 0
  source.setEncoding('utf8')
  source.on('data', (chunk: string) => {
    const frames = (rest + chunk).split('\r\n\r\n')
    rest = frames.pop() ?? ''
    let open = true
    for (const frame of frames) {
      if (!frame.startsWith('data: ') || frame === 'data: [DONE]') continue
      const { event, data } = JSON.parse(frame.slice(6))
      if (event !== 'text_chunk') continue
      id++
      const message = {
        id: `m-${id}`,
        type: 'text',
        data: { content: data.content },
        timestamp: new Date().toISOString(),
      }
      open = response.write(`event: message\nid: ${id}\ndata: ${JSON.stringify(message)}\n\n`)
    }
    if (open) return
    source.pause()
    response.once('drain', () => source.resume())
  })
  source.on('end', () => response.end(`event: done\nid: ${id + 1}\ndata: {}\n\n`))
}

const server = createServer((incoming, response) => {
  let body = ''
  incoming.setEncoding('utf8')
  incoming.on('data', (chunk: string) => {
    body += chunk
  })
  incoming.on('end', () => {
    const { message } = JSON.parse(body)
    const payload = JSON.stringify({ session_id: 's', agent_id: 'a', org_id: 'o', user_message: message })
    const call = request(
      `${upstream}/api/v1/execute/stream`,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': payload.length },
      },
      (source) => {
        response.writeHead(200, SSE)
        if (kind === 'pipe') source.pipe(response)
        else loop(source, response)
      },
    )
    call.on('error', () => response.destroy())
    response.on('close', () => call.destroy())
    call.end(payload)
  })
})

server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null)
    process.stdout.write(`${JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${address.port}` })}\n`)
})
