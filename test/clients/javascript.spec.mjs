import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, streamText } from 'ai'
import { tryClient } from './scenario.mjs'

const ENGLISH = { 'Accept-Language': 'en' }

tryClient('AI SDK (ai, @ai-sdk/openai-compatible)', {
  showsReasoning: true,
  connect({ baseUrl, apiKey, model }) {
    const provider = createOpenAICompatible({
      name: 'chat-cutover',
      baseURL: baseUrl,
      apiKey,
      headers: ENGLISH,
      includeUsage: true,
    })
    const options = { model: provider(model), maxRetries: 0, allowSystemInMessages: true }
    return {
      async whole(messages, session) {
        const { text, reasoningText, usage } = await generateText({ ...options, ...asked(messages, session) })
        return { text, reasoning: reasoningText, tokens: usage.totalTokens }
      },
      async streamed(messages, session) {
        const stream = streamText({ ...options, ...asked(messages, session), onError: () => undefined })
        for await (const part of stream.fullStream) if (part.type === 'error') throw asError(part.error)
        const { totalTokens } = await stream.usage
        return { text: await stream.text, reasoning: await stream.reasoningText, tokens: totalTokens }
      },
    }
  },
})

tryClient('LangChain (@langchain/openai)', {
  connect({ baseUrl, apiKey, model }) {
    // Headers of a call are read from another place for a stream than for a whole answer; those of a model always are.
    const chatOf = (/** @type {string} */ session) =>
      new ChatOpenAI({
        model,
        apiKey,
        maxRetries: 0,
        configuration: {
          baseURL: baseUrl,
          defaultHeaders: { ...ENGLISH, ...headersOf(session).headers },
        },
      })
    return {
      async whole(messages, session) {
        const { text, usage_metadata: usage } = await chatOf(session).invoke([...messages])
        return { text, tokens: usage?.total_tokens }
      },
      async streamed(messages, session) {
        let text = ''
        let tokens = 0
        for await (const chunk of await chatOf(session).stream([...messages])) {
          text += chunk.text
          tokens += chunk.usage_metadata?.total_tokens ?? 0
        }
        return { text, tokens }
      },
    }
  },
})

/** @param {string} session */
function headersOf(session) {
  return { headers: { 'X-Chat-Session-Id': session } }
}

/**
 * @param {readonly import('./scenario.mjs').Message[]} messages
 * @param {string} session
 */
function asked(messages, session) {
  return { messages: [...messages], ...headersOf(session) }
}

/** @param {unknown} thrown */
function asError(thrown) {
  return thrown instanceof Error ? thrown : new Error(JSON.stringify(thrown))
}
