import { PassThrough } from 'node:stream'
import Koa from 'koa'
import OpenAI from 'openai'

/** What anybody would write: Koa and the SDK of OpenAI, a loop over its stream. No auth, no flags, no history, no deadlines. */
const [upstream] = process.argv.slice(2)
if (upstream === undefined) throw new Error('usage: koa-openai.ts URL')

const client = new OpenAI({ baseURL: `${upstream}/v1`, apiKey: 'bench', maxRetries: 0 })
const app = new Koa()

async function bodyOf(request: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

async function relay(message: string, out: PassThrough, signal: AbortSignal): Promise<void> {
  let id = 0
  const stream = await client.chat.completions.create(
    { model: 'm', messages: [{ role: 'user', content: message }], stream: true },
    { signal },
  )
  for await (const chunk of stream) {
    const content = chunk.choices[0]?.delta.content
    if (content === undefined || content === null) continue
    id++
    const body = { id: `m-${id}`, type: 'text', data: { content }, timestamp: new Date().toISOString() }
    const open = out.write(`event: message\nid: ${id}\ndata: ${JSON.stringify(body)}\n\n`)
    if (!open) await new Promise((resolve) => out.once('drain', resolve))
  }
  out.end(`event: done\nid: ${id + 1}\ndata: {}\n\n`)
}

app.use(async (ctx) => {
  const { message } = JSON.parse(await bodyOf(ctx.req))
  const out = new PassThrough()
  const controller = new AbortController()
  ctx.res.on('close', () => controller.abort())
  relay(message, out, controller.signal).catch(() => out.destroy())
  ctx.type = 'text/event-stream'
  ctx.body = out
})

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null)
    process.stdout.write(`${JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${address.port}` })}\n`)
})
server.keepAliveTimeout = 60_000
