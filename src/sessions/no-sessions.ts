import type { SessionStore } from './session-store.js'

/** For turns of which no session is kept: each begins, and nothing of it is left. */
export const NO_SESSIONS: SessionStore = {
  isAvailable: true,
  lost: 0,
  create: async () => 'kept',
  begin: async () => ({ kind: 'not_found' }),
  holder: async () => 'nobody',
  renew: async () => 'held',
  stopRequested: async () => false,
  finish: async () => 'kept',
  release: async () => undefined,
  requestStop: async () => undefined,
  read: async () => undefined,
  list: async () => [],
  delete: async () => false,
  eraseIdle: async () => ({ erased: 0 }),
  newestTurnAt: async () => undefined,
  scan: async () => ({ sessions: [] }),
  readTrace: async () => undefined,
  close: async () => undefined,
}
