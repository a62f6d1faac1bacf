import { z } from 'zod'
import { transitionSchema } from './fallback.js'
import { flagEditEventSchema } from './flag-edit-record.js'
import { rolloutChangeSchema } from './rollout.js'

/** Shapes of a notification's body: all there is as JSON, or a text as Slack's and Feishu's webhooks take it. */
export const NOTIFY_FORMATS = ['json', 'slack', 'feishu'] as const
export type NotifyFormat = (typeof NOTIFY_FORMATS)[number]

/**
 * Body of a notification in format `json`: the transition as in `GET /runtime/fallback/history`, `reason` in zh-CN.
 * It has no `id`, for it may not be kept yet; one that comes twice (its answer was lost, the service was restarted) has the same
 * `transitionId`, which is also the header `X-Chat-Transition-Id` (percent-encoded) of every format.
 */
export const notificationSchema = transitionSchema.omit({ id: true }).extend({
  service: z.literal('chat-cutover'),
  transitionId: z.string(),
  /** the replica that sent it */
  sender: z.string(),
  /** the whole of it as a sentence */
  text: z.strictObject({ 'zh-CN': z.string(), en: z.string() }),
})
export type Notification = z.infer<typeof notificationSchema>

/** The same for an edit of the operators' flags by the API: the entry of `GET /runtime/flags/history`. */
export const flagEditNotificationSchema = flagEditEventSchema.extend({
  service: z.literal('chat-cutover'),
  transitionId: z.string(),
  kind: z.literal('flags_edited'),
  sender: z.string(),
  text: z.strictObject({ 'zh-CN': z.string(), en: z.string() }),
})
export type FlagEditNotification = z.infer<typeof flagEditNotificationSchema>

/** The same for a change of the guarded rollout: the entry of `GET /runtime/rollout/history`, `reason` in zh-CN. */
export const rolloutNotificationSchema = z.strictObject({
  service: z.literal('chat-cutover'),
  transitionId: z.string(),
  kind: z.literal('rollout_changed'),
  sender: z.string(),
  rollout: rolloutChangeSchema,
  text: z.strictObject({ 'zh-CN': z.string(), en: z.string() }),
})
export type RolloutNotification = z.infer<typeof rolloutNotificationSchema>
