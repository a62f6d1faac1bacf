import { Agent } from 'node:http'
import { PassThrough } from 'node:stream'
import got from 'got'
import Koa from 'koa'

/** What a team would write first: Koa, got, parse and map, no auth, no flags, no history. */
const [upstream] = process.argv.slice(2)
if (upstream === undefined) throw new Error('usage: koa-got.ts URL')

const agent = { http: new Agent({ keepAlive: true }) }
const app = new Koa()

async function bodyOf(request: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

app.use(async (ctx) => {
  const { message } = JSON.parse(await bodyOf(ctx.req))
  const out = new PassThrough()
  const source = got.stream.post(`${upstream}/api/v1/execute/stream`, {
    json: { session_id: 's', agent_id: 'a', org_id: 'o', user_message: message },
    agent,
    retry: { limit: 0 },
  })
  source.on('error', () => out.destroy())
  let rest = ''
  let id = 0
  source.on('data', (chunk: Buffer) => {
    const frames = (rest + chunk.toString('utf8')).split('\r\n\r\n')
    rest = frames.pop() ?? ''
    for (const frame of frames) {
      if (!frame.startsWith('data: ') || frame === 'data: [DONE]') continue
      const { event, data } = JSON.parse(frame.slice(6))
      if (event !== 'text_chunk') continue
      id++
      const body = {
        id: `m-${id}`,
        type: 'text',
        data: { content: data.content },
        timestamp: new Date().toISOString(),
      }
      out.write(`event: message\nid: ${id}\ndata: ${JSON.stringify(body)}\n\n`)
    }
  })
  source.on('end', () => out.end(`event: done\nid: ${id + 1}\ndata: {}\n\n`))
  ctx.res.on('close', () => source.destroy())
  ctx.type = 'text/event-stream'
  ctx.body = out
})

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null)
    process.stdout.write(`${JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${address.port}` })}\n`)
})
server.keepAliveTimeout = 60_000
