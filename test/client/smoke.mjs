// The client in whatever runs this: node smoke.mjs <file of the client> <address> <token>. Prints what it saw as one line.
const [file = '', baseUrl = '', token = ''] = process.argv.slice(2)
const { createChatClient } = await import(file)
const chat = createChatClient({ baseUrl, token, language: 'en' })

const kinds = []
let sessionId = ''
for await (const event of chat.start({ agentId: 'assistant', message: 'Hi' })) {
  kinds.push(event.type)
  if (event.type === 'open') sessionId = event.sessionId
}
const answer = await chat.send(sessionId, 'And now?').answer()
const refused = await chat.send('00000000-0000-4000-8000-000000000000', 'Hi').answer()

const left = chat.start({ agentId: 'assistant', message: 'Hi' })
let end = ''
for await (const event of left) {
  if (event.type === 'open') left.abort()
  end = event.type === 'failed' ? event.error.kind : event.type
}
console.log(
  JSON.stringify({
    node: process.versions.node,
    kinds,
    text: answer.ok ? answer.data.text : answer.error.kind,
    refused: refused.ok ? '' : refused.error.status,
    end,
  }),
)
