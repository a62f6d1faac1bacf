import type { Notice } from '../journal/journal.js'
import { flagEditEvent, isFlagEdit } from '../protocol/flag-edit-record.js'
import { noticeId } from '../protocol/notice-id.js'
import type {
  FlagEditNotification,
  Notification,
  NotifyFormat,
  RolloutNotification,
} from '../protocol/notification.js'
import { isRolloutChange } from '../protocol/rollout.js'
import { rolloutChangeView } from '../protocol/rollout-text.js'
import { transitionView } from '../protocol/transition-view.js'
import { flagEditText } from './flag-edit-text.js'
import { notificationText } from './notification-text.js'
import { rolloutText } from './rollout-text.js'
import { chatSignature, feishuSign, standardWebhookHeaders } from './signature.js'

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

/** The request that tells of a transition, an edit or a change of the rollout, signed for the attempt at this second. */
export function notificationBody(
  notice: Notice,
  { format, secret, sender }: BodyOptions,
  unixSeconds: number,
): SignedBody {
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'x-chat-transition-id': encodeURIComponent(noticeId(notice)),
  }
  if (format === 'feishu') return { body: JSON.stringify(feishu(notice, secret, unixSeconds)), headers }
  const body = JSON.stringify(format === 'slack' ? slack(notice) : json(notice, sender))
  if (secret === undefined) return { body, headers }
  return {
    body,
    headers: {
      ...headers,
      'x-chat-signature': chatSignature(body, secret, unixSeconds),
      ...standardWebhookHeaders(noticeId(notice), body, secret, unixSeconds),
    },
  }
}

function json(notice: Notice, sender: string): Notification | FlagEditNotification | RolloutNotification {
  const envelope = { service: 'chat-cutover', transitionId: noticeId(notice), sender } as const
  const text = { 'zh-CN': noticeText(notice, 'zh-CN'), en: noticeText(notice, 'en') }
  if (isRolloutChange(notice))
    return { ...envelope, kind: 'rollout_changed', rollout: rolloutChangeView(notice, 'zh-CN'), text }
  return isFlagEdit(notice)
    ? { ...envelope, kind: 'flags_edited', ...flagEditEvent(notice), text }
    : { ...envelope, ...transitionView(notice, 'zh-CN'), text }
}

function noticeText(notice: Notice, language: 'zh-CN' | 'en'): string {
  if (isRolloutChange(notice)) return rolloutText(notice, language)
  return isFlagEdit(notice) ? flagEditText(notice, language) : notificationText(notice, language)
}

/** Slack's three control characters are escaped: nobody's words become a mention of everybody. */
function slack(notice: Notice): { text: string } {
  const text = `${noticeText(notice, 'en')}\n${noticeText(notice, 'zh-CN')}`
  return { text: text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') }
}

/** Feishu knows no escape for its `<at>` tags, so a look-alike stands in. */
function feishu(notice: Notice, secret: string | undefined, unixSeconds: number): object {
  const text = `${noticeText(notice, 'zh-CN')}\n${noticeText(notice, 'en')}`
  const signed =
    secret === undefined ? {} : { timestamp: String(unixSeconds), sign: feishuSign(secret, unixSeconds) }
  return { ...signed, msg_type: 'text', content: { text: text.replaceAll('<', '＜') } }
}
