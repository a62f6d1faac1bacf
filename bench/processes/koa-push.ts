import { Agent, type IncomingMessage, type ServerResponse } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import got from 'got'
import Koa from 'koa'

/**
 * The least that our own packages allow: Koa and got, each network read decoded, parsed, mapped and written in one call.
 * No auth, no flags, no history, no deadlines.
 */
const [upstream] = process.argv.slice(2)
if (upstream === undefined) throw new Error('usage: koa-push.ts URL')

const agent = { http: new Agent({ keepAlive: true }) }
const app = new Koa()

async function bodyOf(request: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function relay(source: IncomingMessage, response: ServerResponse): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let id = 0
  // got's own; with it the response would not flow.
  source.removeAllListeners('readable')
  source.on('data', (chunk: Buffer) => {
    const frames = (rest + decoder.write(chunk)).split('\r\n\r\n')
    rest = frames.pop() ?? ''
    let text = ''
    for (const frame of frames) {
      if (!frame.startsWith('data: ') || frame === 'data: [DONE]') continue
      const { event, data } = JSON.parse(frame.slice(6))
      if (event !== 'text_chunk') continue
      id++
      const content = JSON.stringify(data.content)
      const at = new Date().toISOString()
      text += `event: message\nid: ${id}\ndata: {"id":"m-${id}","type":"text","data":{"content":${content}},"timestamp":"${at}"}\n\n`
    }
    if (text === '' || response.write(text)) return
    source.pause()
    response.once('drain', () => source.resume())
  })
  source.on('end', () => response.end(`event: done\nid: ${id + 1}\ndata: {}\n\n`))
  source.resume()
}

app.use(async (ctx) => {
  const { message } = JSON.parse(await bodyOf(ctx.req))
  const source = got.stream.post(`${upstream}/api/v1/execute/stream`, {
    json: { session_id: 's', agent_id: 'a', org_id: 'o', user_message: message },
    agent,
    retry: { limit: 0 },
    decompress: false,
  })
  const { res } = ctx
  ctx.respond = false
  ctx.status = 200
  ctx.set({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
  })
  res.flushHeaders()
  source.on('error', () => res.destroy())
  source.on('response', (response: IncomingMessage) => relay(response, res))
  res.on('close', () => source.destroy())
})

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null)
    process.stdout.write(`${JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${address.port}` })}\n`)
})
server.keepAliveTimeout = 60_000
