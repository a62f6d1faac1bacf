import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { FLAG_KEYS } from '../../../src/decision/flags.js'
import type { Operation } from '../../../src/http/operations/operation.js'
import type { RolloutSnapshot } from '../../../src/rollout/rollout.js'
import { NO_ROLLOUT, type RolloutProgress } from '../../../src/store/rollout/rollout.js'
import { postTurn } from '../../support/chat-client.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { opsFileInMemory } from '../../support/flag-edits.js'
import { httpText, rawClient } from '../../support/raw-client.js'
import { NO_SNAPSHOT } from '../../support/rollout-fakes.js'

/** How the contract test makes a call: from the operation's own examples. */

export const ORG = 'acme'
export const owner = (): Promise<string> => bearer({ role: 'owner', org_id: ORG })

const SHIPPED = readFileSync('flags/chat.flagd.json', 'utf8')

/** An edge that can do all there is, with a file of flags that decides as soon as it is written. */
export async function fullEdge(options: EdgeOptions = {}): Promise<Edge> {
  const inForce = (): void =>
    edge.flagListeners.forEach((listener) => void listener(Object.values(FLAG_KEYS)))
  const edge = await startEdge({ opsFile: opsFileInMemory(SHIPPED, inForce), ...options })
  return edge
}

/** What a call has beside, or in place of, what its operation says. */
export interface Extra {
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array<ArrayBuffer>
  readonly params?: Readonly<Record<string, string>>
  /** what the rollout is before the call; default: what the call goes with */
  readonly rollout?: RolloutSnapshot
}

const AT_STAGE = { plan: { stages: [1, 100], everyMinutes: 5 }, stage: 0, since: 0 }
const rolloutAt = (progress: RolloutProgress): RolloutSnapshot => ({
  ...NO_SNAPSHOT,
  rollout: { ...NO_ROLLOUT, progress },
})
export const RUNNING_ROLLOUT = rolloutAt({ ...AT_STAGE, state: 'running' })
const ROLLOUT_BEFORE: Readonly<Record<string, RolloutSnapshot>> = {
  getRollout: RUNNING_ROLLOUT,
  pauseRollout: RUNNING_ROLLOUT,
  resumeRollout: rolloutAt({ ...AT_STAGE, state: 'paused', reason: 'wait' }),
  abortRollout: RUNNING_ROLLOUT,
}

/** The call of an operation with its first example and, where it names a session, one that there is. */
export async function makeCall(edge: Edge, operation: Operation, extra: Extra = {}): Promise<Response> {
  const authorization = operation.role === undefined ? undefined : await owner()
  edge.rollout.now = extra.rollout ?? ROLLOUT_BEFORE[operation.id] ?? NO_SNAPSHOT
  const example = Object.values(operation.body?.examples ?? {})[0]
  const body = extra.body ?? (example === undefined ? undefined : JSON.stringify(example))
  const headers = {
    authorization,
    'accept-language': 'en',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(operation.headers?.includes('If-Match') ? { 'if-match': '*' } : {}),
    ...extra.headers,
  }
  const given = Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return fetch(`${edge.url}${await pathOf(edge, operation, extra)}`, {
    method: operation.method.toUpperCase(),
    headers: given,
    ...(body === undefined ? {} : { body }),
  })
}

async function pathOf(edge: Edge, operation: Operation, extra: Extra): Promise<string> {
  const { path, parameters = {}, method } = operation
  let filled = path
  for (const [placeholder, name = ''] of path.matchAll(/[:*](\w+)/g)) {
    const value = extra.params?.[name] ?? (await idFor(edge, name, method)) ?? parameters[name]?.example
    filled = filled.replace(placeholder, String(value))
  }
  const search = String(new URLSearchParams({ ...requiredQuery(operation), ...extra.query }))
  return search === '' ? filled : `${filled}?${search}`
}

/** What the query cannot do without, by its examples. */
const requiredQuery = ({ query, parameters = {} }: Operation): Record<string, string> =>
  Object.fromEntries(
    Object.entries(query?.shape ?? {})
      .filter(([, schema]) => !z.safeParse(schema, undefined).success)
      .map(([name]) => [name, String(parameters[name]?.example)]),
  )

async function idFor(edge: Edge, name: string, method: Operation['method']): Promise<string | undefined> {
  if (name === 'messageId' || name === 'streamId') return (await turnOf(edge)).messageId
  if (name !== 'sessionId') return undefined
  // What erases a session gets one that nobody else asks for.
  return method === 'delete' ? (await newTurn(edge)).sessionId : sessionOf(edge)
}

interface TurnIds {
  readonly sessionId: string
  readonly messageId: string
}

const turns = new WeakMap<Edge, TurnIds>()

/** An answered turn of this edge; an unknown one where the edge begins none. */
async function turnOf(edge: Edge): Promise<TurnIds> {
  const ids = turns.get(edge) ?? (await newTurn(edge))
  turns.set(edge, ids)
  return ids
}

export const sessionOf = async (edge: Edge): Promise<string> => (await turnOf(edge)).sessionId

async function newTurn(edge: Edge): Promise<TurnIds> {
  const response = await postTurn(edge.url, await owner(), 'start', { agentId: 'assistant', message: 'Hi' })
  await response.text()
  return {
    sessionId: response.headers.get('x-chat-session-id') ?? UNKNOWN_ID,
    messageId: response.headers.get('x-chat-stream-id') ?? UNKNOWN_ID,
  }
}

export const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'

/** A call whose body is announced longer than it is, as raw text; answers the response's text. */
export async function shortBody(edge: Edge, operation: Operation): Promise<Response> {
  const client = await rawClient(edge.port)
  const head = httpText(operation.method.toUpperCase(), await pathOf(edge, operation, {}), {
    Authorization: await owner(),
    'Content-Type': 'application/json',
    'Content-Length': '100',
    'If-Match': '*',
  })
  client.socket.write(`${head}{`)
  const text = await client.waitFor('"error":')
  client.socket.destroy()
  const [first = '', ...lines] = (text.split('\r\n\r\n')[0] ?? '').split('\r\n')
  const headers = lines.map((line): [string, string] => {
    const at = line.indexOf(': ')
    return [line.slice(0, at), line.slice(at + 2)]
  })
  return new Response(/\{.*\}/s.exec(text)?.[0] ?? '', { status: Number(first.split(' ')[1]), headers })
}
