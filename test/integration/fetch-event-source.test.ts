import { createRequire } from 'node:module'
import { expect } from 'chai'
import { doneEventSchema } from '../../src/protocol/events.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'

/** What of a message `@microsoft/fetch-event-source` hands on. */
interface Message {
  readonly id: string
  readonly event: string
  readonly data: string
}

type FetchEventSource = (
  url: string,
  options: {
    readonly method: string
    readonly headers: Record<string, string>
    readonly body: string
    readonly openWhenHidden: boolean
    readonly fetch: typeof fetch
    onmessage(message: Message): void
    onerror(error: unknown): void
  },
) => Promise<void>

// It is written for pages: its types need the DOM, and it looks for `window` and `document`.
const library: { readonly fetchEventSource: FetchEventSource } = createRequire(import.meta.url)(
  '@microsoft/fetch-event-source',
)

interface Client {
  readonly posts: number
  readonly messages: readonly Message[]
  readonly errors: readonly string[]
}

/** One turn by a client as many pages have it: each message goes to `JSON.parse`, and the library posts again after an error. */
async function turn(url: string, authorization: string): Promise<Client> {
  const messages: Message[] = []
  const errors: string[] = []
  let posts = 0
  await library.fetchEventSource(`${url}/api/v1/chat/start`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ agentId: 'assistant', message: 'Hello' }),
    openWhenHidden: true,
    fetch(input, init) {
      posts += 1
      return fetch(input, init)
    },
    onmessage(message) {
      JSON.parse(message.data)
      messages.push(message)
    },
    onerror(error) {
      errors.push(String(error))
      // Without this it would post for ever.
      if (posts > 2) throw error
    },
  })
  return { posts, messages, errors }
}

describe('a client by @microsoft/fetch-event-source', function () {
  this.timeout(30_000)
  const flags = temporaryFlags()
  let llm: RunningProcess
  let runtime: RunningProcess
  let service: RunningProcess

  before(async () => {
    ;[llm, runtime] = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
    service = await startServiceProcess({ llmUrl: llm.url, runtimeUrl: runtime.url, flags })
    Object.assign(globalThis, { window: globalThis, document: new EventTarget() })
  })
  after(async () => {
    Reflect.deleteProperty(globalThis, 'window')
    Reflect.deleteProperty(globalThis, 'document')
    await Promise.all([service?.end(), llm?.end(), runtime?.end()])
    flags.remove()
  })

  async function setFaults(faults: object): Promise<void> {
    const body = JSON.stringify(faults)
    await fetch(`${llm.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body,
    })
  }
  const calls = async (): Promise<number> =>
    ((await (await fetch(`${llm.url}/_requests`)).json()) as unknown[]).length

  it('reads every event, and posts a turn once', async () => {
    const { posts, messages, errors } = await turn(service.url, await bearer())
    expect(errors).to.deep.equal([])
    expect(posts).to.equal(1)
    expect(await calls()).to.equal(1)
    expect(messages.map(({ id }) => id)).to.deep.equal(messages.map((_, at) => String(at + 1)))
    expect(messages.at(0)?.event).to.equal('message')
    const last = messages.at(-1)
    expect(last?.event).to.equal('done')
    expect(doneEventSchema.parse(JSON.parse(last?.data ?? ''))).to.include({ executionMode: 'direct_llm' })
  })

  it('posts a turn once too that ends in an error', async () => {
    const before = await calls()
    await setFaults({ status: 400 })
    const { posts, messages, errors } = await turn(service.url, await bearer())
    await setFaults({})
    expect(errors).to.deep.equal([])
    expect(posts).to.equal(1)
    expect(await calls()).to.equal(before + 1)
    expect(messages.map(({ event }) => event)).to.deep.equal(['error'])
  })
})
