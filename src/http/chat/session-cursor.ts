import type { SessionPlace } from '../../sessions/session-store.js'
import type { Sentence } from '../edge/language.js'
import { Problem } from '../edge/problems.js'

/** `<ms since 1970, base 36>.<session id>` */
const CURSOR = /^([0-9a-z]{1,11})\.([0-9a-f-]{36})$/

const UNKNOWN: Sentence = {
  'zh-CN': 'cursor: 不是本服务给出的 nextCursor',
  en: 'cursor: is no nextCursor of this service',
}

/** What the next page is asked for with. */
export const cursorOf = ({ createdAt, sessionId }: SessionPlace): string =>
  `${createdAt.toString(36)}.${sessionId}`

/** @throws Problem 400 */
export function placeOf(cursor: string): SessionPlace {
  const [, time = '', sessionId = ''] = CURSOR.exec(cursor) ?? []
  const createdAt = Number.parseInt(time, 36)
  if (!Number.isSafeInteger(createdAt)) throw new Problem('body_fields', { details: [UNKNOWN] })
  return { createdAt, sessionId }
}
