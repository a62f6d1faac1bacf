import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../fallback/simulation/random.js'
import { type Called, type CallOptions, call, headerOf } from './call.js'
import { faultOf, type Heard, hear, NOTHING_HEARD } from './stream-check.js'
import type { Target, World } from './world.js'

/** What a person needs to say something in a session, or in a new one. */
export interface Speaking {
  readonly world: World
  readonly random: Random
  readonly authorization: string
  readonly target: Target
  /** absent: a new session */
  readonly sessionId?: string
  readonly message: string
}

/** How one message went. `refused`: no turn began. `unknown`: nobody can say whether one did. */
export type Said =
  | { readonly kind: 'heard'; readonly sessionId: string; readonly messageId: string }
  | { readonly kind: 'left'; readonly sessionId: string }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'unknown' }

export const CHAT = '/api/v1/chat'
/** ms that a replica here waits for a reader to come back */
export const GRACE_MS = 2000
/** ms until a reader that lost its connection comes back */
const BACK_MS = 300
const MOST_RESUMES = 20

const turnOf = ({ sessionId, message, authorization }: Speaking): CallOptions => ({
  method: 'POST',
  path: sessionId === undefined ? `${CHAT}/start` : `${CHAT}/sessions/${sessionId}`,
  authorization,
  body: sessionId === undefined ? { agentId: 'assistant', message } : { message },
})

/** A turn that is read to its end. */
export async function plain(speaking: Speaking, headers: Record<string, string> = {}): Promise<Said> {
  const called = await call(speaking.world, speaking.target, { ...turnOf(speaking), headers })
  return said(speaking, called, hear(NOTHING_HEARD, called.body))
}

/** The connection is cut somewhere, for good. */
export async function vanish(speaking: Speaking): Promise<Said> {
  const leaving = { afterBytes: speaking.random.whole(1, 1500) }
  const called = await call(speaking.world, speaking.target, { ...turnOf(speaking), leaving })
  return said(speaking, called, hear(NOTHING_HEARD, called.body))
}

/** The connection is cut somewhere, and the stream resumed from there, until it is over. */
export async function resume(speaking: Speaking): Promise<Said> {
  const { world, target, random, authorization } = speaking
  const leaving = (): { afterBytes: number } => ({ afterBytes: random.whole(1, 1500) })
  const first = await call(world, target, { ...turnOf(speaking), leaving: leaving() })
  let heard = hear(NOTHING_HEARD, first.body)
  let last = first
  let awayMs = 0
  for (let n = 0; n < MOST_RESUMES && last.kind === 'left' && heard.terminal === undefined; n += 1) {
    const leftAt = performance.now()
    await sleep(random.whole(0, BACK_MS))
    // Half of them as a plain EventSource does: by the token, without headers.
    const byToken = random.chance(0.5)
    const query = byToken
      ? `?token=${headerOf(first, 'x-chat-stream-token')}&lastEventId=${heard.lastId}`
      : ''
    last = await call(world, target, {
      path: `${CHAT}/streams/${headerOf(first, 'x-chat-stream-id')}${query}`,
      ...(byToken ? {} : { authorization, headers: { 'last-event-id': String(heard.lastId) } }),
      ...(n < MOST_RESUMES - 1 && random.chance(0.5) ? { leaving: leaving() } : {}),
    })
    // Until the answer was here: a busy machine may take longer than the grace.
    awayMs = performance.now() - leftAt
    world.count(`resumes: HTTP ${last.status}`)
    if (last.status !== 200) break
    heard = hear(heard, last.body)
  }
  if (last !== first && last.kind === 'answered' && last.status !== 200) {
    // A replica that was told to stop waits for no reader to come back.
    if (target.state === 'here' && awayMs < GRACE_MS)
      world.fault(
        `a resume after ${Math.round(awayMs)} ms got HTTP ${last.status}: ${last.body.slice(0, 200)}`,
      )
    else world.count('resumes that came too late')
    return { kind: 'left', sessionId: headerOf(first, 'x-chat-session-id') }
  }
  return said(speaking, { ...last, headers: first.headers }, heard)
}

/** The same message twice at once, or again after its end, under one key: one turn, and every answer is the whole stream. */
export async function retry(speaking: Speaking): Promise<Said> {
  const headers = { 'idempotency-key': crypto.randomUUID() }
  const options = { ...turnOf(speaking), headers }
  const ask = (): Promise<Called> => call(speaking.world, speaking.target, options)
  const answers = speaking.random.chance(0.5) ? await Promise.all([ask(), ask()]) : [await ask(), await ask()]
  const results = answers.map((called) => said(speaking, called, hear(NOTHING_HEARD, called.body)))
  const turns = new Set(results.flatMap((result) => (result.kind === 'heard' ? [result.messageId] : [])))
  if (turns.size > 1) speaking.world.fault(`a message sent again began ${turns.size} turns`)
  return results.find(({ kind }) => kind === 'heard') ?? results[0] ?? { kind: 'unknown' }
}

/** The turn is stopped while it runs. */
export async function stop(speaking: Speaking): Promise<Said> {
  const { world, target, authorization } = speaking
  let stopping: Promise<Called> | undefined
  let sessionId = ''
  const called = await call(world, target, {
    ...turnOf(speaking),
    onHead: (headers) => {
      sessionId = headerOf({ headers }, 'x-chat-session-id')
    },
    onPiece: () => {
      if (sessionId === '') return
      stopping ??= call(world, target, {
        method: 'POST',
        path: `${CHAT}/sessions/${sessionId}/stop`,
        authorization,
      })
    },
  })
  const stopped = await stopping
  if (stopped !== undefined) world.count(`stops: HTTP ${stopped.status}`)
  return said(speaking, called, hear(NOTHING_HEARD, called.body))
}

function said({ world, message }: Speaking, called: Called, heard: Heard): Said {
  const sessionId = headerOf(called, 'x-chat-session-id')
  switch (called.kind) {
    case 'gone':
      world.count('turns cut with a replica')
      return sessionId === '' ? { kind: 'unknown' } : { kind: 'left', sessionId }
    case 'broken':
      world.fault(`a stream broke: ${called.why}, HTTP ${called.status}`)
      return sessionId === '' ? { kind: 'unknown' } : { kind: 'left', sessionId }
    case 'left':
      if (heard.fault !== '') world.fault(`a stream: ${heard.fault}`)
      world.count('turns left by their reader')
      return { kind: 'left', sessionId }
    case 'answered':
      return answered(world, called, heard, message)
  }
}

function answered(world: World, called: Called, heard: Heard, message: string): Said {
  if (called.status !== 200) {
    world.count(`turns refused: HTTP ${called.status}`)
    if (called.status !== 409 && called.status !== 503)
      world.fault(`a turn got HTTP ${called.status}: ${called.body.slice(0, 200)}`)
    return { kind: 'refused', status: called.status }
  }
  const fault = faultOf(heard, message)
  const end = heard.terminal?.event ?? 'none'
  world.count(`turns that ended in ${end}`)
  if (fault !== '') world.fault(`a stream: ${fault}`)
  return {
    kind: 'heard',
    sessionId: headerOf(called, 'x-chat-session-id'),
    messageId: headerOf(called, 'x-chat-stream-id'),
  }
}
