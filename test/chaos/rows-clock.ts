import { setTimeout as sleep } from 'node:timers/promises'
import { openSqlite } from '../../src/core/sqlite/sqlite.js'
import { JOURNAL_SCHEMA } from '../../src/journal/sqlite/schema.js'
import { postTurn } from '../support/chat-client.js'
import { bearer } from '../support/processes.js'
import { DRILL } from './guardrails.js'
import type { Row } from './row.js'
import { waitFor } from './wait-for.js'

/** What can be wrong with the wall clock: that of a process is set off by a module that is loaded first. */

const PRELOAD = ['--import', './test/chaos/shift-clock.mjs']
const HOUR_MS = 3_600_000
const AHEAD_MS = 400 * 24 * HOUR_MS
/** ms; old entries are looked for once a minute */
const AHEAD_FOR_MS = 65_000
/** ms; after a `stop` that nobody obeyed a session is free in 3 s, and by itself in 10 at the soonest */
const FREE_MS = 8000

const ahead: Row = {
  name: 'the clock of one replica 400 days ahead for a minute',
  stage: { replicas: 2, perSecond: 20, guardrails: DRILL },
  patienceMs: 90_000,
  async drill(stage) {
    const a = stage.replica('a')
    // By its clock every token has expired.
    stage.traffic.leave('a')
    await a.stop()
    await a.start(PRELOAD, { CHAOS_CLOCK_MS: String(AHEAD_MS) })
    const { operator } = stage.replica('b')
    await operator.trigger('before')
    await operator.reset()
    let before = entriesIn(stage.parts.database)
    await waitFor('both transitions to be in the journal', () => {
      before = entriesIn(stage.parts.database)
      return before.transitions < 2 ? `${before.transitions} are` : ''
    })
    process.kill(a.pid, 'SIGUSR2')
    await sleep(AHEAD_FOR_MS)
    process.kill(a.pid, 'SIGUSR2')
    const after = entriesIn(stage.parts.database)
    if (after.transitions < before.transitions || after.executions < before.executions)
      throw new Error(`of ${JSON.stringify(before)} there are ${JSON.stringify(after)}`)
    await stage.traffic.rejoin({ replica: 'a', url: a.url })
    return [`all ${before.transitions} transitions and ${before.executions} executions of before are kept`]
  },
}

function entriesIn(path: string): { readonly transitions: number; readonly executions: number } {
  const database = openSqlite(path, JOURNAL_SCHEMA)
  const count = (table: string): number =>
    Number(database.prepare(`SELECT count(*) FROM ${table}`).get()?.[0])
  try {
    return { transitions: count('transitions'), executions: count('executions') }
  } finally {
    database.close()
  }
}

const setBack: Row = {
  name: 'a replica killed in mid-turn, every clock set back by an hour',
  stage: { replicas: 2, perSecond: 0, guardrails: DRILL },
  async drill(stage) {
    const member = await bearer()
    const back = { CHAOS_CLOCK_MS: String(-HOUR_MS) }
    const [a, b] = [stage.replica('a'), stage.replica('b')]
    await b.stop()
    await b.start(PRELOAD, back)
    await stage.runtime.set({ gapMs: 2000 })
    const turn = await postTurn(a.url, member, 'start', { agentId: 'assistant', message: 'Hello' })
    const path = `sessions/${turn.headers.get('x-chat-session-id')}`
    await a.kill()
    await turn.text().catch(() => '')
    process.kill(b.pid, 'SIGUSR2')
    await a.start(PRELOAD, { ...back, CHAOS_CLOCK_OFF: '1' })
    await stage.runtime.set({})
    const next = async (): Promise<number> => {
      const response = await postTurn(b.url, member, path, { message: 'And then?' })
      await response.text()
      return response.status
    }
    if ((await next()) !== 409) throw new Error('the session of the dead replica is not busy')
    await postTurn(b.url, member, `${path}/stop`, {})
    const freeMs = await waitFor(
      'the session to be free',
      async () => {
        const status = await next()
        return status === 200 ? '' : `HTTP ${status}`
      },
      FREE_MS,
    )
    process.kill(b.pid, 'SIGUSR2')
    await stage.restartReplica('a')
    return [`its session takes a turn ${(freeMs / 1000).toFixed(1)} s after a stop`]
  },
}

export const CLOCK_ROWS: readonly Row[] = [ahead, setBack]
