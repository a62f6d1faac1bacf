import { setTimeout as sleep } from 'node:timers/promises'
import { postTurn, readTurn, startTurn } from '../../support/chat-client.js'
import { bearer } from '../../support/processes.js'
import type { FleetRow } from './fleet-row.js'

/** What happens to the replicas themselves. */

const HOUR_MS = 3_600_000
const AWAY_MS = 3000

const rolling: FleetRow = {
  name: 'rolling restart under load',
  trips: 0,
  async drill(stage) {
    const tookMs: number[] = []
    for (const { name } of stage.replicas) {
      const since = performance.now()
      await stage.rollReplica(name)
      tookMs.push(Math.round(performance.now() - since))
    }
    return [`each away for ${tookMs.join(', ')} ms`]
  },
}

/** ms between two events: so long that several answers are under way on the replica that is killed */
const SLOW_GAP_MS = 400

const killed: FleetRow = {
  name: 'a replica killed (SIGKILL) in mid-answer',
  trips: 0,
  // Its streams end in `interrupted` elsewhere.
  tellsReaders: true,
  async drill(stage) {
    await stage.runtime.set({ gapMs: SLOW_GAP_MS })
    await sleep(AWAY_MS)
    await stage.killReplica('a')
    await stage.runtime.set({})
    const moves = await stage.moving.settled()
    const told = moves.filter(({ kind }) => kind === 'told')
    // Their clients send them again, with the same key, to another replica: none may run a second time.
    const authorization = await stage.moving.bearer()
    for (const { message } of told) {
      const body = { agentId: 'assistant', message }
      const again = await readTurn(
        await postTurn(stage.replica('b').url, authorization, 'start', body, { 'idempotency-key': message }),
      )
      if (again.terminal?.event !== 'error') throw new Error(`sent again: ${JSON.stringify(again.terminal)}`)
    }
    await stage.restartReplica('a')
    const slowest = Math.max(0, ...moves.map(({ tookMs }) => tookMs))
    return [
      `its streams over elsewhere after at most ${(slowest / 1000).toFixed(1)} s; ${told.length} messages sent again, none run again`,
    ]
  },
}

/** One an hour ahead, one an hour behind, and the runtime dies. */
const skewed: FleetRow = {
  name: 'clocks an hour ahead and an hour behind, and the runtime killed',
  trips: 1,
  tellsReaders: true,
  clocks: { a: HOUR_MS, b: -HOUR_MS },
  async drill(stage) {
    const since = stage.runtime.kill()
    const { at } = await stage.storeIs('fallback', since)
    await sleep(AWAY_MS)
    await stage.runtime.restart()
    return [`override after ${Math.round(at - since)} ms`]
  },
}

const TURNS = 15
/** Every so many turns one is good: no row of failures is long enough to trip by itself. */
const GOOD_EVERY = 4

const thin: FleetRow = {
  name: 'a breach of which each replica sees at most five turns',
  trips: 1,
  startsQuiet: true,
  async drill(stage) {
    const member = await bearer({ org: 'org-thin' })
    const since = performance.now()
    const hasTripped = (): boolean =>
      stage.watch.first(since, ({ auto }) => auto.state === 'fallback') !== undefined
    let sent = 0
    for (; sent < TURNS && !hasTripped(); sent += 1) {
      const { name, url } = stage.replicas[sent % stage.replicas.length] ?? stage.replica('a')
      await stage.runtime.set(sent % GOOD_EVERY === GOOD_EVERY - 1 ? {} : { status: 500 })
      await startTurn(url, member, `thin-${sent}-${name}`)
    }
    const { at } = await stage.storeIs('fallback', since)
    await stage.runtime.set({})
    await stage.startTraffic()
    return [
      `override after ${sent} turns of all, ${Math.round(at - since)} ms after the first; none alone has minSamples`,
    ]
  },
}

export const REPLICA_ROWS: readonly FleetRow[] = [rolling, killed, skewed, thin]
