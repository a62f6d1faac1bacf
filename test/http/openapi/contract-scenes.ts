import { SignJWT } from 'jose'
import { systemClock } from '../../../src/core/clock.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { KeysUnavailable } from '../../../src/http/auth/token-keys.js'
import type { ProblemName } from '../../../src/http/edge/problems.js'
import type { Operation } from '../../../src/http/operations/operation.js'
import { bodyHashOf, type IdempotencyKeys, type KeptKey } from '../../../src/idempotency/idempotency-keys.js'
import { JournalUnavailable } from '../../../src/journal/journal.js'
import type { ExecutionErrorCode } from '../../../src/protocol/execution-codes.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { SessionStoreUnavailable } from '../../../src/sessions/session-store.js'
import { postTurn } from '../../support/chat-client.js'
import { bearer, EDGE_SECRET, type Edge, type EdgeOptions } from '../../support/edge.js'
import { fakeJournal } from '../../support/fallback-fakes.js'
import { fleetStreams, redisLink } from '../../support/fleet.js'
import { NO_SNAPSHOT } from '../../support/rollout-fakes.js'
import { hanging, scripted } from '../../support/scripted-backend.js'
import {
  type Extra,
  fullEdge,
  makeCall,
  owner,
  RUNNING_ROLLOUT,
  sessionOf,
  shortBody,
  UNKNOWN_ID,
} from './contract-calls.js'

/** Leads an operation into one refusal. Edges that it starts it hands to `keep`. */
export type Scene = (operation: Operation, keep: (edge: Edge) => Edge) => Promise<Response>

const onEdge =
  (options: () => EdgeOptions, extra: (operation: Operation) => Extra | Promise<Extra> = () => ({})): Scene =>
  async (operation, keep) =>
    makeCall(keep(await fullEdge(options())), operation, await extra(operation))

let usual: Promise<Edge> | undefined

/** On an edge that all of these share: nothing they do changes it. */
const simply =
  (extra: (operation: Operation) => Extra | Promise<Extra>): Scene =>
  async (operation, keep) => {
    usual ??= fullEdge({ timing: { lingerMs: 50, bodyMs: 100 } }).then(keep)
    return makeCall(await usual, operation, await extra(operation))
  }

const withToken = (token: () => Promise<string>): Scene =>
  simply(async () => ({ headers: { authorization: await token() } }))

/** Every method but `close` fails, as an asynchronous one or at the first page. */
function failing<T extends object>(target: T, thrown: () => Error): T {
  const fail = () => {
    const failure = Promise.reject(thrown())
    failure.catch(() => undefined)
    return Object.assign(failure, { [Symbol.asyncIterator]: () => ({ next: () => failure }) })
  }
  return new Proxy(target, {
    get: (real, name) => {
      const value: unknown = Reflect.get(real, name)
      if (typeof value !== 'function') return value
      return name === 'close' ? value.bind(real) : fail
    },
  })
}

const inState =
  (state: 'starting' | 'draining'): Scene =>
  async (operation, keep) => {
    const edge = keep(await fullEdge())
    edge.state = state
    return makeCall(edge, operation)
  }

/** Every key stands for a turn that another process has not begun yet. */
const takenKeys = (kept: Pick<KeptKey, 'bodyHash' | 'isOwn'>): IdempotencyKeys => {
  const found = { sessionId: UNKNOWN_ID, messageId: UNKNOWN_ID, createdAt: Date.now(), ...kept }
  return {
    find: async () => found,
    reserve: async () => found,
    release: async () => undefined,
    close: async () => undefined,
  }
}

const now = (): number => Math.floor(Date.now() / 1000)

/** By name of the problem. What a new operation can be refused by gets its scene here. */
export const SCENES: Readonly<Partial<Record<ProblemName, Scene>>> = {
  token_missing: simply(() => ({ headers: { authorization: undefined } })),
  token_expired: withToken(() => bearer({ exp: now() - 600 })),
  token_not_yet_valid: withToken(() => bearer({ nbf: now() + 600 })),
  token_claims: withToken(() => bearer({ org_id: undefined })),
  token_invalid: withToken(
    async () =>
      `Bearer ${await new SignJWT({ sub: 'u' }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(`${EDGE_SECRET}!`))}`,
  ),
  auth_unavailable: onEdge(() => ({
    signingKeys: {
      verify: async () => {
        throw new KeysUnavailable('down')
      },
    },
  })),
  role_too_low: withToken(() => bearer({ role: 'member', org_id: 'acme' })),
  other_org: onEdge(
    () => ({ auth: { operatorRole: 'owner' } }),
    async ({ query }) => ({
      headers: { authorization: await bearer({ role: 'admin', org_id: 'globex' }) },
      ...(query === undefined ? {} : { query: { orgId: 'acme' } }),
    }),
  ),
  own_org_only: onEdge(
    () => ({ auth: { operatorRole: 'owner' } }),
    async () => ({ headers: { authorization: await bearer({ role: 'admin', org_id: 'globex' }) } }),
  ),
  too_many_orgs: simply(() => ({
    body: JSON.stringify({ orgIds: Array.from({ length: 1000 }, (_, at) => `${at}`.padStart(60, 'x')) }),
  })),
  session_unknown: simply(() => ({ params: { sessionId: UNKNOWN_ID } })),
  async turn_running(operation, keep) {
    if (operation.id === 'startChat') {
      const bodyHash = bodyHashOf(['start', ...Object.values(firstExample(operation.body)).map(String)])
      const idempotency = takenKeys({ bodyHash, isOwn: false })
      const busy = keep(await fullEdge({ idempotency, timing: { keyedTurnMs: 0 } }))
      return makeCall(busy, operation, { headers: { 'idempotency-key': 'k' } })
    }
    const backends: { direct_llm?: ReturnType<typeof hanging> } = {}
    const edge = keep(await fullEdge({ backends }))
    await sessionOf(edge)
    const busy = keep(
      await fullEdge({ sessions: edge.sessions, backends: { direct_llm: hanging('direct_llm', 'Well') } }),
    )
    const running = await makeCall(busy, operation, { params: { sessionId: await sessionOf(edge) } })
    const refused = await makeCall(busy, operation, { params: { sessionId: await sessionOf(edge) } })
    await running.body?.cancel()
    return refused
  },
  idempotency_mismatch: onEdge(
    () => ({ idempotency: takenKeys({ bodyHash: 'another', isOwn: true }) }),
    () => ({ headers: { 'idempotency-key': 'k' } }),
  ),
  trace_unknown: simply(() => ({ params: { messageId: UNKNOWN_ID } })),
  body_type: simply(() => ({ headers: { 'content-type': 'text/plain' } })),
  body_coding: simply(() => ({ headers: { 'content-encoding': 'compress' } })),
  body_empty: simply(() => ({ body: '' })),
  body_json: simply(() => ({ body: '{' })),
  body_encoding: simply(() => ({ body: new Uint8Array([0x22, 0xff, 0x22]) })),
  body_compression: simply(() => ({ headers: { 'content-encoding': 'gzip' }, body: 'not gzip' })),
  body_too_large: simply(() => ({ body: 'x'.repeat(1_048_577) })),
  body_fields: simply(({ body }) => (body === undefined ? { query: { nonsense: '1' } } : { body: '[]' })),
  body_unsupported: simply(({ body }) => ({ body: JSON.stringify({ ...firstExample(body), n: 2 }) })),
  model_unknown: simply(({ body }) =>
    body === undefined
      ? { params: { model: 'another' } }
      : { body: JSON.stringify({ ...firstExample(body), model: 'another' }) },
  ),
  async body_late(operation, keep) {
    const edge = keep(await fullEdge({ timing: { bodyMs: 50, lingerMs: 50 } }))
    return shortBody(edge, operation)
  },
  async rate_limited(operation, keep) {
    const edge = keep(await fullEdge({ turnsPerMinute: 1 }))
    await sessionOf(edge)
    return makeCall(edge, operation)
  },
  async too_many_commands(operation, keep) {
    const edge = keep(await fullEdge({ commandsPerMinute: 1 }))
    await (await makeCall(edge, operation)).body?.cancel()
    return makeCall(edge, operation)
  },
  async too_many_streams(operation, keep) {
    const backends = { direct_llm: hanging('direct_llm', 'Well') }
    const edge = keep(await fullEdge({ limits: { streamsPerOrg: 1 }, backends }))
    const running = await postTurn(edge.url, await owner(), 'start', { agentId: 'a', message: 'Hi' })
    const streamId = running.headers.get('x-chat-stream-id') ?? ''
    const isReader = operation.id === 'resumeStream'
    const reader = isReader ? await makeCall(edge, operation, { params: { streamId } }) : undefined
    const refused = await makeCall(edge, operation, isReader ? { params: { streamId } } : {})
    await running.body?.cancel()
    await reader?.body?.cancel()
    return refused
  },
  async quota_exceeded(operation, keep) {
    const usage = { add: () => undefined, used: () => 10, close: () => undefined }
    return makeCall(keep(await fullEdge({ limits: { tokensPerDayPerOrg: 10 }, usage })), operation)
  },
  starting: inState('starting'),
  draining: inState('draining'),
  async overloaded(operation, keep) {
    if (operation.id === 'getReadiness') {
      const overload = { level: 4, places: 10, onLook: () => undefined, turnedAway: () => undefined } as const
      return makeCall(keep(await fullEdge({ overload })), operation)
    }
    if (operation.id !== 'resumeStream') return makeCall(keep(await fullEdge({ maxStreams: 0 })), operation)
    const edge = keep(
      await fullEdge({ maxStreams: 1, backends: { direct_llm: hanging('direct_llm', 'Well') } }),
    )
    const running = await postTurn(edge.url, await owner(), 'start', { agentId: 'a', message: 'Hi' })
    const streamId = running.headers.get('x-chat-stream-id') ?? ''
    const refused = await makeCall(edge, operation, { params: { streamId } })
    await running.body?.cancel()
    return refused
  },
  stream_token_invalid: simply(() => ({
    headers: { authorization: undefined },
    query: { token: 'another' },
  })),
  stream_unknown: simply(() => ({ params: { streamId: UNKNOWN_ID } })),
  streams_unavailable: onEdge(
    () => ({ fleet: fleetStreams(redisLink('redis://127.0.0.1:1')) }),
    () => ({ params: { streamId: UNKNOWN_ID } }),
  ),
  stream_given_up: onEdge(() => ({ streamBytes: 1 })),
  async llm_overloaded(operation, keep) {
    let full = false
    const edge = keep(
      await fullEdge({ admission: { admit: () => (full ? 3 : undefined), leave: () => undefined } }),
    )
    await sessionOf(edge)
    full = true
    return makeCall(edge, operation)
  },
  async events_overloaded(operation, keep) {
    const edge = keep(await fullEdge())
    const open = await Promise.all(Array.from({ length: 100 }, () => makeCall(edge, operation)))
    const refused = await makeCall(edge, operation)
    await Promise.all(open.map((response) => response.body?.cancel()))
    return refused
  },
  async reports_overloaded(operation, keep) {
    const never = new Promise<never>(() => undefined)
    const journal = new Proxy(fakeJournal(), {
      get: (real, name) =>
        /^(executions|executedFor|judged|observations|comparisonSums|pairs|drops)$/.test(String(name))
          ? () =>
              Object.assign(Promise.resolve(never), { [Symbol.asyncIterator]: () => ({ next: () => never }) })
          : Reflect.get(real, name),
    })
    const edge = keep(
      await fullEdge({ realJournal: Object.assign(journal, { close: async () => undefined }) as never }),
    )
    const query = operation.id === 'editFlags' ? { dryRun: 'true' } : {}
    const leave = new AbortController()
    // Two run, eight wait; they are left open.
    const calls = Array.from({ length: 11 }, () => makeCall(edge, operation, { query }))
    const refused = await Promise.race(calls)
    leave.abort()
    for (const call of calls) call.catch(() => undefined)
    return refused
  },
  rollout_running: simply(() => ({ rollout: RUNNING_ROLLOUT })),
  rollout_default_runtime: simply(() => ({ rollout: { ...NO_SNAPSHOT, opsMode: 'runtime' } })),
  rollout_targeting: simply(() => ({ rollout: { ...NO_SNAPSHOT, opsMode: 'targeting' } })),
  rollout_not_running: simply(() => ({ rollout: NO_SNAPSHOT })),
  rollout_not_paused: simply(() => ({ rollout: RUNNING_ROLLOUT })),
  rollout_none: simply(() => ({ rollout: NO_SNAPSHOT })),
  async rollout_not_written(operation, keep) {
    const edge = keep(await fullEdge())
    edge.rollout.isStuck = true
    return makeCall(edge, operation)
  },
  flags_elsewhere: onEdge(() => ({ opsFile: missing, status: { resolver: 'in-process' } })),
  flags_in_provider: onEdge(() => ({ status: { resolver: 'provider' } })),
  flags_changed: simply(() => ({ headers: { 'if-match': '"another"' } })),
  flags_if_match: simply(() => ({ headers: { 'if-match': undefined } })),
  flags_refused: simply(() => ({ body: JSON.stringify({ guardrails: { errorRate: 7 } }) })),
  flags_unavailable: onEdge(() => ({ opsFile: missing })),
  journal_unavailable: onEdge(() => ({
    realJournal: failing(fakeJournal(), () => new JournalUnavailable('closed')) as never,
  })),
  store_unavailable: onEdge(() => ({
    sessions: failing(
      createMemorySessionStore({ clock: systemClock }),
      () => new SessionStoreUnavailable('closed'),
    ),
  })),
  // Of a call that needs a token the token's check breaks, of the others what they show.
  internal_error: onEdge(() => ({
    signingKeys: { verify: broken },
    metrics: { exposition: broken },
    status: {
      get faults(): never {
        return broken()
      },
    },
  })),
}

/** A turn that fails with a code before anything of it was shown. */
export const failedTurn =
  (code: ExecutionErrorCode): Scene =>
  async (operation, keep) => {
    const failing = scripted('direct_llm', async function* (_turn, call) {
      call.onConnected()
      yield []
      throw new ExecutionError(code, 'headers', '')
    })
    return makeCall(keep(await fullEdge({ backends: { direct_llm: failing } })), operation)
  }

const firstExample = (body: Operation['body']): object =>
  Object.assign({}, Object.values(body?.examples ?? {})[0])

function broken(): never {
  throw new Error('broken')
}

const missing: EdgeOptions['opsFile'] & object = {
  read: async () => ({ kind: 'missing' }),
  write: async () => ({ kind: 'conflict', stored: { kind: 'missing' } }),
}
