import { createHmac, timingSafeEqual } from 'node:crypto'

/** Tokens that open one stream each, for readers that can send no header (`EventSource`). */
export interface StreamTokens {
  of(streamId: string): string
  /** Takes the same time however wrong the token is. */
  isOf(token: string, streamId: string): boolean
}

/**
 * A token says nothing but that it was made here for this stream; how long it is good for is how long the stream can be read.
 * @param key secret of this process, at least 32 bytes
 */
export function createStreamTokens(key: Uint8Array): StreamTokens {
  const mac = (text: string): Buffer => createHmac('sha256', key).update(text).digest()
  return {
    of: (streamId) => mac(streamId).toString('base64url'),
    isOf(token, streamId) {
      const given = Buffer.from(token, 'base64url')
      const expected = mac(streamId)
      return given.length === expected.length && timingSafeEqual(given, expected)
    },
  }
}
