import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../fallback/simulation/random.js'
import { bearer } from '../support/processes.js'
import { TOKEN_MS } from './people.js'
import { plain } from './person-turns.js'
import type { Target, World } from './world.js'

/**
 * New sessions on each replica: as many as its largest cache of sessions keeps (`KnownSessions`). Each of their turns is an execution of
 * the runtime, most of the time, so the caches of executions and of last flags are full as well.
 */
export const FILL_TURNS = 20_000
/** streams at once on each replica; a turn takes about 0.1 s */
const LANES = 6
const ORGS = 10
/** ms after a refusal: a replica refuses new sessions while it is overloaded */
const BACK_OFF_MS = 500

/** Short turns, each of a new session, until the caches of each replica are full or the run is over. Nothing of them is erased. */
export async function fill(world: World, isOver: () => boolean): Promise<void> {
  await Promise.all(world.targets.map((target) => fillOne(world, target, isOver)))
}

async function fillOne(world: World, target: Target, isOver: () => boolean): Promise<void> {
  let left = FILL_TURNS
  const lane = async (n: number): Promise<void> => {
    const random = new Random(n)
    const tokenOf = (): Promise<string> =>
      bearer({ org: `org-${n % ORGS}`, user: `filler-${target.name}-${n}` })
    let authorization = await tokenOf()
    let since = performance.now()
    while (left > 0 && !isOver()) {
      if (performance.now() - since > TOKEN_MS) {
        authorization = await tokenOf()
        since = performance.now()
      }
      left -= 1
      const said = await plain({ world, random, authorization, target, message: `filler-${n} end` })
      if (said.kind === 'heard') {
        world.count('turns that fill caches')
        continue
      }
      left += 1
      await sleep(BACK_OFF_MS)
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, n) => lane(n)))
}
