import { createHmac } from 'node:crypto'

/**
 * Value of the header `X-Chat-Signature`: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>" with the secret>`.
 *
 * To verify: take `t` and `v1` from the header; compute the HMAC over `t`, a dot and the raw bytes of the body as they
 * came (before any parsing); compare in constant time (`crypto.timingSafeEqual`); refuse a `t` more than five minutes
 * from the own clock, so that an old notification cannot be sent again. Each attempt has a signature of its own.
 */
export function chatSignature(body: string, secret: string, unixSeconds: number): string {
  const mac = createHmac('sha256', secret).update(`${unixSeconds}.${body}`).digest('hex')
  return `t=${unixSeconds},v1=${mac}`
}

/**
 * Headers of the Standard Webhooks specification 1.0 (standardwebhooks.com), symmetric signature. A receiver verifies them with any
 * of its libraries. `id` stays the same for each attempt of a notification; `unixSeconds` is the time of the attempt.
 *
 * The key of a secret `whsec_<base64>` is what the base64 stands for. The key of any other secret is its UTF-8 bytes: give the
 * library `whsec_` and their base64.
 */
export function standardWebhookHeaders(
  id: string,
  body: string,
  secret: string,
  unixSeconds: number,
): Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>> {
  const webhookId = withoutDots(id)
  const signed = `${webhookId}.${unixSeconds}.${body}`
  const mac = createHmac('sha256', standardKey(secret)).update(signed).digest('base64')
  return {
    'webhook-id': webhookId,
    'webhook-timestamp': String(unixSeconds),
    'webhook-signature': `v1,${mac}`,
  }
}

// A dot separates the parts of what is signed, so an id must have none; decodeURIComponent gives the id back.
const withoutDots = (id: string): string => encodeURIComponent(id).replaceAll('.', '%2E')

const STANDARD_SECRET = /^whsec_((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/

function standardKey(secret: string): Buffer {
  const [, base64] = STANDARD_SECRET.exec(secret) ?? []
  return base64 === undefined ? Buffer.from(secret) : Buffer.from(base64, 'base64')
}

/**
 * Field `sign` of a message to a Feishu (Lark) custom bot with signature verification on: base64 HMAC-SHA256 of nothing,
 * the key being `<timestamp>\n<secret>`. Feishu refuses (code 19021) a timestamp more than an hour from its clock.
 */
export function feishuSign(secret: string, unixSeconds: number): string {
  return createHmac('sha256', `${unixSeconds}\n${secret}`).digest('base64')
}
