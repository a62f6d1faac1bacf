import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { bearer, startEdge } from '../support/edge.js'
import { markdownPage } from '../support/markdown.js'
import { answering } from '../support/scripted-backend.js'

const PAGE = 'docs/integrate.md'
const ADDRESS = 'https://chat.example.com'

/** What it names of its own: a token, and where texts and the end go. */
type Example = (
  token: string,
  show: (text: string) => void,
  finish: (event: string, data: unknown) => void,
) => Promise<void>

/** A function of the example's text, in which `await` works. */
function exampleOf(code: string): Example {
  const AsyncFunction: unknown = Object.getPrototypeOf(async () => undefined).constructor
  if (typeof AsyncFunction !== 'function') throw new Error('there are no asynchronous functions')
  return Reflect.construct(AsyncFunction, ['token', 'show', 'finish', code])
}

describe(`the example of plain fetch in ${PAGE}`, () => {
  const code = markdownPage(PAGE, readFileSync(PAGE, 'utf8')).fences.find(
    ({ language, text }) => language === 'js' && text.includes(ADDRESS),
  )?.text

  it('reads a turn of the running service to its end', async () => {
    const edge = await startEdge({ backends: { direct_llm: answering('direct_llm', 'grüße ', '你好') } })
    try {
      if (code === undefined) throw new Error('the example is gone')
      let text = ''
      const ends: string[] = []
      await exampleOf(code.replace(ADDRESS, edge.url))(
        (await bearer()).replace('Bearer ', ''),
        (piece) => {
          text += piece
        },
        (event) => ends.push(event),
      )
      expect(text).to.equal('grüße 你好')
      expect(ends).to.deep.equal(['done'])
    } finally {
      await edge.close()
    }
  })
})
