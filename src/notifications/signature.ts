import { createHmac } from 'node:crypto'

/**
 * Value of the header `X-Chat-Signature`: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>" with the secret>`.
 *
 * To verify: take `t` and `v1` from the header; compute the HMAC over `t`, a dot and the raw bytes of the body as they
 * came (before any parsing); compare in constant time (`crypto.timingSafeEqual`); refuse a `t` more than five minutes
 * from the own clock, so that an old notification cannot be sent again. Each attempt is signed anew.
 */
export function chatSignature(body: string, secret: string, unixSeconds: number): string {
  const mac = createHmac('sha256', secret).update(`${unixSeconds}.${body}`).digest('hex')
  return `t=${unixSeconds},v1=${mac}`
}

/**
 * Field `sign` of a message to a Feishu (Lark) custom bot with signature verification on: base64 HMAC-SHA256 of nothing,
 * the key being `<timestamp>\n<secret>`. Feishu refuses (code 19021) a timestamp more than an hour from its clock.
 */
export function feishuSign(secret: string, unixSeconds: number): string {
  return createHmac('sha256', `${unixSeconds}\n${secret}`).digest('base64')
}
