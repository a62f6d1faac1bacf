import type { EraseAnswer } from '../../protocol/user-data.js'
import type { DataScope, HeldSession } from '../../sessions/session-store.js'
import type { AppDeps } from '../app-deps.js'
import { type EraseSessionDeps, eraseSession } from '../chat/erase-session.js'

/** Sessions may begin while others are erased; a user who never stops is not waited for. */
const MOST_PASSES = 3
/** sessions erased at once: each may wait for its running turn */
const AT_ONCE = 20

export type EraseDeps = EraseSessionDeps & { readonly journal: Pick<AppDeps['journal'], 'erase'> }

/** Erases all that is kept in a scope. @throws SessionStoreUnavailable, JournalUnavailable: then a part of it may be left */
export async function eraseData(scope: DataScope, deps: EraseDeps): Promise<EraseAnswer> {
  const sessionIds: string[] = []
  let sessions = 0
  for (let pass = 0; pass < MOST_PASSES; pass += 1) {
    const before = sessions
    for (let after: string | undefined, more = true; more; ) {
      const page = await deps.sessions.scan(scope, after)
      sessions += await erasePage(page.sessions, deps)
      // Of an org the journal knows its entries by the org.
      if (scope.userId !== undefined) sessionIds.push(...page.sessions.map(({ sessionId }) => sessionId))
      after = page.next
      more = after !== undefined
    }
    if (sessions === before) break
  }
  const { orgId, userId } = scope
  const entries = await deps.journal.erase({
    ...(orgId === undefined ? {} : { orgId }),
    ...(userId === undefined ? {} : { userId }),
    sessionIds,
  })
  return { sessions, ...entries }
}

async function erasePage(page: readonly HeldSession[], deps: EraseDeps): Promise<number> {
  let erased = 0
  for (let at = 0; at < page.length; at += AT_ONCE) {
    const some = page.slice(at, at + AT_ONCE)
    const found = await Promise.all(some.map(({ sessionId, owner }) => eraseSession(sessionId, owner, deps)))
    erased += found.filter(Boolean).length
  }
  return erased
}
