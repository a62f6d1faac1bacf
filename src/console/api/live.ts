import { batch, signal } from '@preact/signals'
import { readEvents, type ServerEvent } from '../../client/index.js'
import type {
  FallbackStatus,
  FlagsEvent,
  MetricsEvent,
  TransitionEvent,
  WindowMetrics,
} from '../../protocol/fallback.js'
import type { RolloutChangeView } from '../../protocol/rollout.js'
import { language } from '../text/language.js'
import { RequestError, stream } from './request.js'

/** What the service reports while the page is open: `GET /runtime/events`, with a new stream when one ends. */

export type Connection =
  | { readonly state: 'off' }
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'waiting'; readonly since: number; readonly nextAt: number; readonly why: string }
  /** the token may not look */
  | { readonly state: 'forbidden'; readonly why: string }

/** Both windows at one moment. */
export interface Sample {
  /** ms since 1970 */
  readonly at: number
  readonly direct: WindowMetrics
  readonly runtime: WindowMetrics
}

/** ms that the charts show */
export const HOUR_MS = 3_600_000
/** samples kept: half an hour at one a second */
const MAX_SAMPLES = 1800
const MAX_TRANSITIONS = 100
/** ms without a byte, after which the stream counts as dead: three heartbeats */
const SILENCE_MS = 46_000
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 15_000

export const connection = signal<Connection>({ state: 'off' })
export const status = signal<FallbackStatus | undefined>(undefined)
export const samples = signal<readonly Sample[]>([])
/** newest first, since the page was opened */
export const transitions = signal<readonly TransitionEvent[]>([])
/** the newest change of the guarded rollout */
export const rolloutChange = signal<RolloutChangeView | undefined>(undefined)
/** the newest change of the flags; views that show flags ask again when it changes */
export const flagsChange = signal<FlagsEvent | undefined>(undefined)

let running: AbortController | undefined

/** Starts to listen; once for the page. */
export function startLive(): void {
  if (running !== undefined) return
  running = new AbortController()
  void listen(running.signal)
}

/** Ends it, and forgets what the last reader saw. */
export function stopLive(): void {
  running?.abort()
  running = undefined
  batch(() => {
    connection.value = { state: 'off' }
    status.value = undefined
    samples.value = []
    transitions.value = []
    flagsChange.value = undefined
    rolloutChange.value = undefined
  })
}

async function listen(signal: AbortSignal): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    if (connection.value.state !== 'waiting') connection.value = { state: 'connecting' }
    // A stream tells all in the language in which it was asked for.
    const spoken = language.value
    const outdated = new AbortController()
    const unsubscribe = language.subscribe((now) => {
      if (now !== spoken) outdated.abort()
    })
    try {
      await readOne(AbortSignal.any([signal, outdated.signal]), () => {
        if (connection.value.state === 'live') return
        failures = 0
        batch(() => {
          connection.value = { state: 'live' }
          // Whatever changed before this stream was open is told by nobody.
          flagsChange.value = { at: new Date().toISOString(), flags: [] }
        })
      })
      if (signal.aborted) return
      if (!outdated.signal.aborted) await wait(failures++, 'the stream ended', signal)
    } catch (thrown) {
      if (signal.aborted) return
      if (outdated.signal.aborted) continue
      if (thrown instanceof RequestError && thrown.status === 401) return
      if (thrown instanceof RequestError && thrown.status === 403) {
        connection.value = { state: 'forbidden', why: thrown.message }
        return
      }
      await wait(failures++, thrown instanceof Error ? thrown.message : String(thrown), signal)
    } finally {
      unsubscribe()
    }
  }
}

/** Waits longer from failure to failure, and each page a little differently. */
async function wait(failures: number, why: string, signal: AbortSignal): Promise<void> {
  const ms = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures) * (0.75 + Math.random() / 2)
  const last = connection.value
  const since = last.state === 'waiting' ? last.since : Date.now()
  connection.value = { state: 'waiting', since, nextAt: Date.now() + ms, why }
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}

async function readOne(signal: AbortSignal, onEvent: () => void): Promise<void> {
  const body = await stream('/runtime/events', { signal })
  for await (const event of readEvents(body, { silenceMs: SILENCE_MS })) {
    take(event)
    onEvent()
  }
}

function take({ event, data }: ServerEvent): void {
  switch (event) {
    case 'metrics':
      takeMetrics(JSON.parse(data) as MetricsEvent)
      return
    case 'transition':
      transitions.value = [JSON.parse(data) as TransitionEvent, ...transitions.value].slice(
        0,
        MAX_TRANSITIONS,
      )
      return
    case 'rollout':
      rolloutChange.value = JSON.parse(data) as RolloutChangeView
      return
    case 'flags':
      flagsChange.value = JSON.parse(data) as FlagsEvent
      return
    default:
      return
  }
}

function takeMetrics({ at, direct, runtime, status: now }: MetricsEvent): void {
  const sample: Sample = { at: Date.parse(at), direct, runtime }
  batch(() => {
    status.value = now
    samples.value = keepSample(samples.value, sample)
  })
}

/** With one more, and without those that are too old. */
export const keepSample = (before: readonly Sample[], sample: Sample): readonly Sample[] => {
  const oldest = before.findIndex(({ at }) => at > sample.at - HOUR_MS)
  return [...(oldest < 0 ? [] : before.slice(Math.max(oldest, before.length + 1 - MAX_SAMPLES))), sample]
}
