import { placeOf } from '../../core/numbers/hash.js'

/**
 * Whether a shadow runs the control's own backend once more. By a hash of the message id: the same message is always chosen
 * alike, and who is chosen at a percentage stays chosen at a higher one.
 */
export function isAa(messageId: string, percent: number): boolean {
  return placeOf(messageId) * 100 < percent
}
