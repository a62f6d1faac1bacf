import { expect } from 'chai'
import { startOpenAiRig } from '../support/openai-rig.ts'
import { rejection } from '../support/rejection.ts'
import { until } from '../support/until.ts'

/**
 * @typedef {{ role: 'system' | 'user' | 'assistant', content: string }} Message
 * @typedef {{ baseUrl: string, apiKey: string, model: string }} Target where a client is pointed at
 * @typedef {{ text: string, reasoning?: string, tokens?: number }} Answer
 * @typedef {object} Client one library, told nothing but its target; it throws where a turn fails
 * @property {(messages: readonly Message[], session: string) => Promise<Answer>} whole
 * @property {(messages: readonly Message[], session: string) => Promise<Answer>} streamed
 */

/** @type {readonly Message[]} */
const QUESTION = [{ role: 'user', content: 'Hello' }]
/** @type {readonly Message[]} */
const LATER = [
  { role: 'system', content: 'Be brief.' },
  ...QUESTION,
  { role: 'assistant', content: 'Hi' },
  { role: 'user', content: 'And then?' },
]

/**
 * The turns that every client has to get through.
 * @param {string} name of the library
 * @param {{ prepare?: (test: Mocha.Context) => Promise<void>, connect: (target: Target) => Client, showsReasoning?: boolean }} how
 */
export function tryClient(name, { prepare, connect, showsReasoning = false }) {
  describe(name, function () {
    this.timeout(120_000)
    /** @type {Awaited<ReturnType<typeof startOpenAiRig>> | undefined} */
    let rig
    /** @type {Client} */
    let client

    before(async function () {
      await prepare?.(this)
      rig = await startOpenAiRig()
      client = connect({ baseUrl: rig.baseUrl, apiKey: rig.apiKey, model: 'gpt-4o' })
    })
    after(() => rig?.close())
    afterEach(() => Promise.all([rig?.runtime({}), rig?.llm({})]))

    for (const way of /** @type {const} */ (['whole', 'streamed'])) {
      const ask = (messages = QUESTION, session = 'session-1') => client[way](messages, session)

      describe(way, () => {
        it('is answered by the runtime, with a history', async () => {
          expect((await ask()).text).to.equal('[runtime] Answer 1 to: Hello')
          expect((await ask(LATER)).text).to.equal('[runtime] Answer 2 to: And then?')
        })

        it('names the conversation by a header', async () => {
          const session = `of-${way}`
          await ask(QUESTION, session)
          await until('the log', () => rig?.service.log.some((line) => line.sessionId === session) === true)
        })

        it('is told how many tokens a turn took', async () => {
          expect((await ask()).tokens).to.be.greaterThan(0)
        })

        it('sees nothing of a failover', async () => {
          for (const fault of [{ status: 500 }, { dropAfterEvents: 1 }, { softFailure: true }]) {
            await rig?.runtime(fault)
            expect((await ask()).text, JSON.stringify(fault)).to.equal('[direct] Answer 1 to: Hello')
          }
        })

        it('throws where both sides fail, and where an answer breaks in the middle', async () => {
          await rig?.runtime({ status: 500 })
          await rig?.llm({ status: 500 })
          expect((await rejection(ask())).message).to.include('The AI service reported an error')
          await rig?.llm({})
          await rig?.runtime({ dropAfterEvents: 4, events: 10 })
          expect((await rejection(ask())).message).to.include('the answer is incomplete')
        })

        if (showsReasoning)
          it('shows what the runtime thinks', async () => {
            expect((await ask()).reasoning).to.equal('Reading the message.\nWriting the answer.\n')
          })
      })
    }
  })
}
