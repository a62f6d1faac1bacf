import { systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import { openSqliteSessionStore } from '../../src/sessions/sqlite/sqlite-session-store.js'
import { OWNER } from './session-store-contract.js'

/**
 * Takes one turn after the other, each in a session of its own (`<name>-0`, `<name>-1` …), and tells each one when it
 * is kept. Then either leaves, or (`park`) stays in the middle of a last turn until it is killed.
 */
const [path = '', name = '', count = '0', ending = 'leave'] = process.argv.slice(2)
const store = openSqliteSessionStore(path, { clock: systemClock, replica: name, logger: silentLogger })
const tell = (message: string): void => void process.send?.(message)

async function startTurn(index: number): Promise<{ sessionId: string; messageId: string }> {
  const sessionId = `${name}-${index}`
  const messageId = `${sessionId}-answer`
  await store.create({ sessionId, messageId, owner: OWNER, message: `question ${index}` }, 'agent-1')
  await store.renew(messageId, 'partial')
  return { sessionId, messageId }
}

async function run(): Promise<void> {
  for (let index = 0; index < Number(count); index += 1) {
    const { sessionId, messageId } = await startTurn(index)
    const text = `answer ${index} `.repeat(100)
    await store.finish(messageId, { status: 'answered', text, executionMode: 'direct_llm' })
    await store.release(messageId)
    tell(sessionId)
  }
  if (ending === 'park') {
    // the open channel keeps the process alive
    tell((await startTurn(Number(count))).sessionId)
    return
  }
  await store.close()
  tell('end')
  process.disconnect?.()
}

run().catch((error: unknown) => {
  tell(`failed: ${error instanceof Error ? error.name : String(error)}`)
  process.disconnect?.()
})
// Killed tests leave no orphan behind.
process.on('disconnect', () => process.exit())
