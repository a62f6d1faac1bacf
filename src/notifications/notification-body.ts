import type { Transition } from '../journal/journal.js'
import type { Notification, NotifyFormat } from '../protocol/notification.js'
import { transitionId } from '../protocol/transition-id.js'
import { transitionView } from '../protocol/transition-view.js'
import { notificationText } from './notification-text.js'
import { chatSignature, feishuSign } from './signature.js'

export interface BodyOptions {
  readonly format: NotifyFormat
  readonly secret?: string
  /** the replica that sends */
  readonly sender: string
}

export interface SignedBody {
  /** JSON text */
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/** The request that tells of a transition, signed for the attempt at this second. */
export function notificationBody(
  transition: Transition,
  { format, secret, sender }: BodyOptions,
  unixSeconds: number,
): SignedBody {
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'x-chat-transition-id': encodeURIComponent(transitionId(transition)),
  }
  if (format === 'feishu') return { body: JSON.stringify(feishu(transition, secret, unixSeconds)), headers }
  const body = JSON.stringify(format === 'slack' ? slack(transition) : json(transition, sender))
  if (secret === undefined) return { body, headers }
  return { body, headers: { ...headers, 'x-chat-signature': chatSignature(body, secret, unixSeconds) } }
}

function json(transition: Transition, sender: string): Notification {
  return {
    service: 'chat-cutover',
    transitionId: transitionId(transition),
    sender,
    ...transitionView(transition, 'zh-CN'),
    text: { 'zh-CN': notificationText(transition, 'zh-CN'), en: notificationText(transition, 'en') },
  }
}

/** Slack's three control characters are escaped: nobody's words become a mention of everybody. */
function slack(transition: Transition): { text: string } {
  const text = `${notificationText(transition, 'en')}\n${notificationText(transition, 'zh-CN')}`
  return { text: text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') }
}

/** Feishu knows no escape for its `<at>` tags, so a look-alike stands in. */
function feishu(transition: Transition, secret: string | undefined, unixSeconds: number): object {
  const text = `${notificationText(transition, 'zh-CN')}\n${notificationText(transition, 'en')}`
  const signed =
    secret === undefined ? {} : { timestamp: String(unixSeconds), sign: feishuSign(secret, unixSeconds) }
  return { ...signed, msg_type: 'text', content: { text: text.replaceAll('<', '＜') } }
}
