import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../fallback/simulation/random.js'
import { bearer } from '../support/processes.js'
import { call } from './call.js'
import { TOKEN_MS } from './people.js'
import type { World } from './world.js'

const RUNTIME = '/api/v1/runtime'
const READS = [
  `${RUNTIME}/metrics`,
  `${RUNTIME}/metrics/org-1`,
  `${RUNTIME}/fallback/status`,
  `${RUNTIME}/fallback/history`,
  `${RUNTIME}/endpoints`,
  `${RUNTIME}/flags`,
  `${RUNTIME}/flags/history`,
  `${RUNTIME}/explain?orgId=org-1`,
  `${RUNTIME}/baseline`,
  `${RUNTIME}/shadow/report`,
  `${RUNTIME}/rollout`,
  `${RUNTIME}/export?userId=user-0-0`,
  '/metrics',
  '/health/ready',
  '/openapi.json',
  '/v1/models',
]
const PAUSE_MS = 500
/** bytes after which an operator closes the page */
const MOST_BYTES = 20_000

/** Reads all that there is for operators, again and again, until told to stop. */
export async function reader(world: World, isOver: () => boolean): Promise<void> {
  const random = new Random(1000)
  for (let n = 0; !isOver(); n += 1) {
    const path = READS[n % READS.length] ?? '/metrics'
    const answer = await call(world, world.pick(random.next()), { path, authorization: await operator() })
    world.count(`operators' reads: ${answer.kind === 'answered' ? `HTTP ${answer.status}` : answer.kind}`)
    const isWrong = answer.kind === 'answered' && answer.status !== 200 && answer.status !== 503
    if (isWrong || answer.kind === 'broken')
      world.fault(`GET ${path}: HTTP ${answer.status} ${answer.why} ${answer.body.slice(0, 150)}`)
    await sleep(random.whole(0, PAUSE_MS))
  }
}

/** Watches the events of operators, closes the page and opens it again, until told to stop. */
export async function watcher(world: World, lane: number, isOver: () => boolean): Promise<void> {
  const random = new Random(2000 + lane)
  while (!isOver()) {
    const seen = await call(world, world.pick(random.next()), {
      path: `${RUNTIME}/events`,
      authorization: await operator(),
      leaving: { afterBytes: random.whole(1, MOST_BYTES) },
      mostMs: random.whole(500, 20_000),
    })
    world.count("operators' streams")
    if (seen.kind !== 'gone' && seen.status !== 200 && seen.status !== 0 && seen.status !== 503)
      world.fault(`operators' events: HTTP ${seen.status}`)
    await sleep(random.whole(0, PAUSE_MS))
  }
}

/** The same token for `TOKEN_MS`, as people use theirs. */
let signed: { readonly at: number; readonly token: Promise<string> } | undefined
function operator(): Promise<string> {
  if (signed === undefined || performance.now() - signed.at > TOKEN_MS)
    signed = { at: performance.now(), token: bearer({ org: 'org-1', user: 'operator', role: 'admin' }) }
  return signed.token
}
