import type { Faults } from './faults.js'
import type { CONTEXT_FORMS } from './llm-faults.js'
import type { ReceivedRequest } from './simulator-server.js'

/** A refusal as it goes over the wire. */
export interface Refusal {
  readonly status: number
  readonly body: unknown
}

interface Asked {
  readonly messages: readonly { readonly content: string }[]
}

/** Why a server with these faults does not answer the request; undefined if it does. */
export function refusalOf(request: ReceivedRequest, body: Asked, faults: Faults): Refusal | undefined {
  const { requireApiKey, requireQuery, refuseParameters = [], contextCharacters } = faults
  if (requireApiKey !== undefined && request.headers['api-key'] !== requireApiKey)
    return { status: 401, body: errorBody('401', 'Access denied due to invalid subscription key.') }
  if (requireQuery !== undefined && !new URLSearchParams(request.search).has(requireQuery))
    return { status: 404, body: errorBody('404', 'Resource not found') }
  const parameter = refuseParameters.find((name) => name in body)
  if (parameter !== undefined) return parameterRefusal(parameter, faults.refuseForm ?? 'param')
  const characters = body.messages.reduce((sum, { content }) => sum + content.length, 0)
  if (contextCharacters === undefined || characters <= contextCharacters) return undefined
  return tooLong(characters, contextCharacters, faults.contextForm ?? 'openai')
}

function parameterRefusal(name: string, form: NonNullable<Faults['refuseForm']>): Refusal {
  const message = `Unsupported parameter: '${name}' is not supported with this model.`
  switch (form) {
    case 'param':
      return {
        status: 400,
        body: {
          error: { message, type: 'invalid_request_error', param: name, code: 'unsupported_parameter' },
        },
      }
    case 'message':
      return { status: 400, body: { error: { message, type: 'invalid_request_error' } } }
    case 'detail':
      return {
        status: 422,
        body: {
          detail: [
            { type: 'extra_forbidden', loc: ['body', name], msg: 'Extra inputs are not permitted', input: 1 },
          ],
        },
      }
  }
}

/** In the words of real servers; a character stands for a token. */
function tooLong(asked: number, most: number, form: (typeof CONTEXT_FORMS)[number]): Refusal {
  switch (form) {
    case 'openai': {
      const message = `This model's maximum context length is ${most} tokens. However, your messages resulted in ${asked} tokens. Please reduce the length of the messages.`
      const error = {
        message,
        type: 'invalid_request_error',
        param: 'messages',
        code: 'context_length_exceeded',
      }
      return { status: 400, body: { error } }
    }
    case 'vllm': {
      const message = `This model's maximum context length is ${most} tokens. However, you requested ${asked} tokens (${asked} in the messages, 0 in the completion). Please reduce the length of the messages or completion.`
      return {
        status: 400,
        body: { object: 'error', message, type: 'BadRequestError', param: null, code: 400 },
      }
    }
    case 'sglang': {
      const message = `The input (${asked} tokens) is longer than the model's context length (${most} tokens).`
      return {
        status: 400,
        body: { object: 'error', message, type: 'BadRequest', param: null, code: 400 },
      }
    }
    case 'llama.cpp': {
      const message = `request (${asked} tokens) exceeds the available context size (${most} tokens), try increasing it`
      return {
        status: 400,
        body: {
          error: {
            code: 400,
            message,
            type: 'exceed_context_size_error',
            n_prompt_tokens: asked,
            n_ctx: most,
          },
        },
      }
    }
    case 'ollama':
      return {
        status: 400,
        body: {
          error: {
            message: 'the input length exceeds the context length',
            type: 'invalid_request_error',
            param: null,
            code: null,
          },
        },
      }
    case 'anthropic': {
      const message = `prompt is too long: ${asked} tokens > ${most} maximum`
      return { status: 400, body: { type: 'error', error: { type: 'invalid_request_error', message } } }
    }
    case 'gemini': {
      const message = `The input token count (${asked}) exceeds the maximum number of tokens allowed (${most}).`
      return { status: 400, body: [{ error: { code: 400, message, status: 'INVALID_ARGUMENT' } }] }
    }
    case 'mistral': {
      const message = `Prompt contains ${asked} tokens and 0 draft tokens, too large for model with ${most} maximum context length`
      return {
        status: 400,
        body: { object: 'error', message, type: 'invalid_request_prompt', param: null, code: '3051' },
      }
    }
    case 'text':
      return {
        status: 500,
        body: { error: `prompt too long; exceeded max context length by ${asked - most} tokens` },
      }
    case 'stream': {
      const message = `This endpoint's maximum context length is ${most} tokens. However, you requested about ${asked} tokens.`
      return { status: 200, body: { error: { message, code: 400 } } }
    }
  }
}

function errorBody(code: string, message: string) {
  return { error: { code, message } }
}
