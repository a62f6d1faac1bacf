import { instant } from '../../protocol/instant.js'
import type { DataScope, HeldSession, SessionStore } from '../../sessions/session-store.js'

/**
 * What is kept of a user, as pieces of one JSON text in the envelope of the API: one conversation at a time is in memory.
 * @param onEnd told of the number of conversations, once all of them went out
 * @throws SessionStoreUnavailable
 */
export async function* exportedData(
  scope: DataScope & { readonly userId: string },
  sessions: Pick<SessionStore, 'scan' | 'read' | 'readTrace'>,
  now: number,
  onEnd: (count: number) => void,
): AsyncGenerator<string> {
  const head = { userId: scope.userId, exportedAt: instant(now) }
  let page = await sessions.scan(scope)
  yield `{"success":true,"data":${JSON.stringify(head).slice(0, -1)},"sessions":[`
  let count = 0
  for (;;) {
    for (const held of page.sessions) {
      const json = await sessionJson(held, sessions)
      if (json === undefined) continue
      yield count === 0 ? json : `,${json}`
      count += 1
    }
    if (page.next === undefined) break
    page = await sessions.scan(scope, page.next)
  }
  yield ']}}'
  onEnd(count)
}

/** Undefined for a session that was erased meanwhile. */
async function sessionJson(
  { sessionId, owner }: HeldSession,
  sessions: Pick<SessionStore, 'read' | 'readTrace'>,
): Promise<string | undefined> {
  const view = await sessions.read(sessionId, owner)
  if (view === undefined) return undefined
  const traces: string[] = []
  for (const message of view.messages) {
    if (message.role !== 'assistant') continue
    const found = await sessions.readTrace(sessionId, message.id, owner)
    if (found?.kind === 'trace') traces.push(found.json)
  }
  const session = JSON.stringify({ ...view, orgId: owner.orgId }).slice(0, -1)
  return `${session},"traces":[${traces.join(',')}]}`
}
