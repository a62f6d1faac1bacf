import type { Turn } from '../backend.js'
import type { UpstreamResponse } from './upstream-response.js'

/** Session ids of shadows begin with it; those of users are UUIDs, so the two never collide. */
export const SHADOW_PREFIX = 'shadow:'

/** The header by which any upstream can tell a shadow's request from a user's; none for a user's turn. */
export function fenceHeaders(turn: Turn): Readonly<Record<string, string>> {
  return turn.shadow === true ? { 'x-chat-shadow': '1' } : {}
}

/** Whether the upstream's answer to a shadow says that it keeps the fence: it changes nothing for this request. */
export function honoursFence(response: UpstreamResponse): boolean {
  return response.header('x-chat-shadow')?.trim().toLowerCase() === 'honoured'
}
