import type { SessionOwner } from './session-store.js'

interface KnownSession {
  readonly owner: SessionOwner
  readonly agentId: string
}

const MAX_SESSIONS = 20_000

/** Whose the sessions are that took a turn on this process, the newest of them: for when the database cannot be asked. */
export class KnownSessions {
  readonly #sessions = new Map<string, KnownSession>()

  add(sessionId: string, session: KnownSession): void {
    this.#sessions.delete(sessionId)
    this.#sessions.set(sessionId, session)
    if (this.#sessions.size <= MAX_SESSIONS) return
    for (const oldest of this.#sessions.keys()) {
      this.#sessions.delete(oldest)
      return
    }
  }

  delete(sessionId: string): void {
    this.#sessions.delete(sessionId)
  }

  get(sessionId: string): KnownSession | undefined {
    return this.#sessions.get(sessionId)
  }
}
