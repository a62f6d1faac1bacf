import { type Foreign, isForeign, parseObject } from '../parse/foreign.js'

/**
 * What gateways write before the words of the server behind them: LiteLLM "litellm.NotFoundError: NotFoundError: OpenAIException - …",
 * Portkey "openai error: …" and "Invalid response received from deepseek: …".
 */
const BEFORE =
  /^(?:litellm\.\w+: (?:\w+: )*\w+ - |[\w-]{1,40} error: |Invalid response received from [\w-]{1,40}: )/
/** LiteLLM's own words after them, of today and of 2025 */
const AFTER = /(?:\n\nLiteLLM: model group |\. Received Model Group=)[\s\S]*$/
/** Longer texts quote prompts. */
const MOST_TEXT = 4000

/** The error of the server behind a gateway, which quotes it in words or as JSON; undefined where it quotes none. */
export function behindGateway(error: unknown): Foreign | undefined {
  const message = isForeign(error) ? error.message : error
  if (typeof message !== 'string' || message.length > MOST_TEXT) return undefined
  const quoted = message.replace(BEFORE, '')
  if (quoted === message) return undefined
  const text = quoted.replace(AFTER, '')
  const body = text.startsWith('{') ? parseObject(text) : undefined
  if (body === undefined) return { message: text }
  return isForeign(body.error) ? body.error : body
}
