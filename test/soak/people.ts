import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../fallback/simulation/random.js'
import { bearer } from '../support/processes.js'
import { call } from './call.js'
import { CHAT, plain, resume, retry, type Said, type Speaking, stop, vanish } from './person-turns.js'
import { singleTurn } from './single-turns.js'
import type { Target, World } from './world.js'

const ORGS = 10
/** of each lane: they come back, so that what is kept of a user for a while (a verified token) is not taken for growth */
const USERS = 30
const MOST_TURNS = 5
/** ms between two things a person does */
const PAUSE_MS = 300
/** ms within which every session takes a turn: a reservation of a killed replica ends after 15 s, a frozen runtime's deadlines pass */
const TAKES_TURN_MS = 45_000
const AGAIN_MS = 500
/** ms a token is used; it is valid for an hour */
export const TOKEN_MS = 2_700_000
const KINDS = [plain, plain, plain, resume, resume, retry, stop, vanish]

/** People who come, talk, and erase what they said, one after another, until told to stop. */
export async function people(world: World, lane: number, isOver: () => boolean): Promise<void> {
  const random = new Random(lane)
  const tokens = new Map<number, Person>()
  for (let life = 0; !isOver(); life += 1) {
    const n = life % USERS
    const known = tokens.get(n)
    const isFresh = known !== undefined && performance.now() - known.since < TOKEN_MS
    const person = isFresh ? known : await personOf(`user-${lane}-${n}`, `org-${(lane + n) % ORGS}`)
    tokens.set(n, person)
    await live(world, person, random)
  }
}

interface Person {
  readonly user: string
  readonly org: string
  readonly authorization: string
  /** of an admin of the same org */
  readonly admin: string
  /** of both tokens */
  readonly since: number
}

const personOf = async (user: string, org: string): Promise<Person> => ({
  user,
  org,
  authorization: await bearer({ org, user }),
  admin: await bearer({ org, user: 'operator', role: 'admin' }),
  since: performance.now(),
})

async function live(world: World, person: Person, random: Random): Promise<void> {
  const { user, authorization } = person
  let sessionId: string | undefined
  const turns = random.whole(1, MOST_TURNS)
  let near: Target | undefined
  for (let n = 0; n < turns; n += 1) {
    // As behind a balancer that is sticky, mostly.
    near = world.pick(random.next(), random.chance(0.8) ? near : undefined)
    const speak = KINDS[random.whole(0, KINDS.length - 1)] ?? plain
    const message = messageOf(random, `${user}-${n}`)
    const speaking: Speaking = {
      world,
      random,
      authorization,
      target: near,
      message,
      ...(sessionId === undefined ? {} : { sessionId }),
    }
    const keyed = { 'idempotency-key': crypto.randomUUID() }
    const result =
      speak === plain && random.chance(0.5) ? await plain(speaking, keyed) : await speak(speaking)
    sessionId ??= sessionOf(result)
    await sleep(random.whole(0, PAUSE_MS))
    if (random.chance(0.3)) await singleTurn(speaking)
    if (random.chance(0.3)) await looks(speaking, sessionId)
  }
  await ends({ world, random, ...person })
}

const sessionOf = (result: Said): string | undefined =>
  (result.kind === 'heard' || result.kind === 'left') && result.sessionId !== ''
    ? result.sessionId
    : undefined

/** Some words: an answer of a second at most, with places to cut it. */
function messageOf(random: Random, name: string): string {
  const words = Array.from({ length: random.whole(1, 40) }, (_, n) => `word${n}`)
  return `${name} ${words.join(' ')} end`
}

async function looks(
  { world, target, authorization }: Speaking,
  sessionId: string | undefined,
): Promise<void> {
  const paths = [`${CHAT}/sessions`, ...(sessionId === undefined ? [] : [`${CHAT}/sessions/${sessionId}`])]
  for (const path of paths) {
    const seen = await call(world, target, { path, authorization })
    world.count('reads')
    if (seen.kind === 'broken' || (seen.kind === 'answered' && seen.status !== 200))
      world.fault(`GET ${path}: HTTP ${seen.status} ${seen.why} ${seen.body.slice(0, 200)}`)
  }
}

interface Ending extends Person {
  readonly world: World
  readonly random: Random
}

/** Every conversation takes one more turn; then all of them are erased, and nothing is left. */
async function ends(ending: Ending): Promise<void> {
  const { world, random, authorization, admin, user } = ending
  for (const sessionId of await sessionsOf(ending)) await takesTurn(ending, sessionId)
  if (random.chance(0.5)) {
    await insist(ending, 'erase', {
      method: 'POST',
      path: '/api/v1/runtime/erase',
      body: { userId: user },
      authorization: admin,
    })
  } else
    for (const sessionId of await sessionsOf(ending))
      await insist(ending, 'delete', {
        method: 'DELETE',
        path: `${CHAT}/sessions/${sessionId}`,
        authorization,
      })
  const left = await sessionsOf(ending)
  if (left.length > 0) world.fault(`${left.length} conversations are left of ${user}, who erased all`)
  world.count('people')
}

async function sessionsOf(ending: Ending): Promise<readonly string[]> {
  const { authorization } = ending
  const body = await insist(ending, 'list', { path: `${CHAT}/sessions?limit=100`, authorization })
  if (body === '') return []
  const { data }: { data: { sessions: { sessionId: string }[] } } = JSON.parse(body)
  return data.sessions.map(({ sessionId }) => sessionId)
}

/** A call that a restart may interrupt; the body, `""` where it failed for another reason. */
async function insist(
  { world, random }: Ending,
  what: string,
  options: Parameters<typeof call>[2],
): Promise<string> {
  for (const since = performance.now(); performance.now() - since < TAKES_TURN_MS; await sleep(AGAIN_MS)) {
    const answer = await call(world, world.pick(random.next()), options)
    if (answer.kind === 'answered' && answer.status < 300) return answer.body
    // What was erased in the call that was cut is gone.
    if (what === 'delete' && answer.status === 404) return answer.body
    if (answer.kind === 'gone' || answer.status === 503) continue
    world.fault(`${what}: HTTP ${answer.status} ${answer.why} ${answer.body.slice(0, 200)}`)
    return ''
  }
  world.fault(`${what}: not within ${TAKES_TURN_MS} ms`)
  return ''
}

async function takesTurn({ world, random, authorization, user }: Ending, sessionId: string): Promise<void> {
  const since = performance.now()
  let last = 'nothing'
  while (performance.now() - since < TAKES_TURN_MS) {
    const target = world.pick(random.next())
    const result = await plain({
      world,
      random,
      authorization,
      target,
      sessionId,
      message: `${user} last end`,
    })
    if (result.kind === 'heard') {
      world.count('sessions asked once more')
      return
    }
    last = result.kind === 'refused' ? `HTTP ${result.status}` : result.kind
    await sleep(AGAIN_MS)
  }
  world.count('sessions stuck')
  world.fault(`a session is stuck: ${last} for ${TAKES_TURN_MS} ms`)
}
