import type { Context } from 'koa'
import type { Timer } from '../../core/clock.js'
import type { FallbackEvent } from '../../fallback/fallback.js'
import type { FlagsEvent, MetricsEvent, TransitionEvent } from '../../protocol/fallback.js'
import { type FlagEditRecord, flagEditEvent } from '../../protocol/flag-edit-record.js'
import { instant } from '../../protocol/instant.js'
import { rolloutChangeView } from '../../protocol/rollout-text.js'
import { transitionView } from '../../protocol/transition-view.js'
import type { RolloutEvent } from '../../rollout/rollout.js'
import { type AppDeps, EDGE_TIMING } from '../app-deps.js'
import type { Identity } from '../auth/claims.js'
import type { Language } from '../edge/language.js'
import { retryLater } from '../edge/problems.js'
import type { FlagEditFeed } from '../flags/flag-edit-feed.js'
import { statusView } from './fallback-view.js'
import { type OperatorStream, openOperatorStream } from './operator-stream.js'

/** Streams one process serves: operators are few, and each costs a connection. */
export const MAX_OPERATOR_STREAMS = 100

/** s after which a refused operator may come back */
const RETRY_AFTER = { starting: 1, draining: 5, overloaded: 10 } as const

/** `GET /runtime/events`: what happens to the fallback and the flags, to every operator who looks. */
export interface OperatorEvents {
  /**
   * Streams until the reader leaves, its token expires or the service drains; then nothing of it is left.
   * @throws Problem 503 with `Retry-After`, before the stream is open
   */
  serve(ctx: Context, identity: Identity): Promise<void>
}

type Source = Pick<
  AppDeps,
  'fallback' | 'replicas' | 'rollout' | 'flags' | 'windows' | 'clock' | 'ids' | 'lifecycle' | 'timing'
>

/** Listens to fallback and flags while anybody reads, once for all readers, and owns one timer then. */
export function createOperatorEvents(deps: Source, edits: FlagEditFeed): OperatorEvents {
  const { clock, fallback, rollout, flags, lifecycle } = deps
  const { metricsMs, heartbeatMs, slowReaderMs } = { ...EDGE_TIMING, ...deps.timing }
  const readers = new Set<OperatorStream>()
  let stopListening: (() => void) | undefined
  let nextMetrics: Timer | undefined
  let lastSeen = ''

  const metrics = (language: Language): MetricsEvent => ({
    at: instant(clock.wall()),
    direct: deps.windows.overall('direct_llm'),
    runtime: deps.windows.overall('runtime_orchestrator'),
    status: statusView(fallback.snapshot(), language, deps.replicas.seen()),
  })

  const sendMetrics = (): void => {
    nextMetrics?.cancel()
    nextMetrics = clock.schedule(metricsMs, sendMetrics)
    broadcast(readers, 'metrics', metrics)
  }

  const onTick = (changed: boolean): void => {
    const seen = contentOf(metrics('en'))
    if (!changed && seen === lastSeen) return
    lastSeen = seen
    sendMetrics()
  }

  const onFallback = (event: FallbackEvent): void => {
    if (event.kind === 'tick') onTick(event.changed)
    else
      broadcast(
        readers,
        'transition',
        (language): TransitionEvent => transitionView(event.transition, language),
      )
  }

  const onRollout = (event: RolloutEvent): void => {
    if (event.kind === 'change')
      broadcast(readers, 'rollout', (language) => rolloutChangeView(event.change, language))
  }

  const onFlags = (keys: readonly string[]): void => {
    const event: FlagsEvent = { at: instant(clock.wall()), flags: [...keys] }
    broadcast(readers, 'flags', () => event)
  }

  const onEdit = (edit: FlagEditRecord, keys: readonly string[]): void => {
    const event: FlagsEvent = { at: instant(clock.wall()), flags: [...keys], edit: flagEditEvent(edit) }
    broadcast(readers, 'flags', () => event)
  }

  const endAll = (): void => {
    for (const reader of readers) reader.end()
  }

  const listen = (): (() => void) => {
    const stops = [
      fallback.subscribe(onFallback),
      rollout.subscribe(onRollout),
      flags.onChange(onFlags),
      edits.subscribe(onEdit),
    ]
    nextMetrics = clock.schedule(metricsMs, sendMetrics)
    lifecycle.draining.addEventListener('abort', endAll)
    return () => {
      for (const stop of stops) stop()
      nextMetrics?.cancel()
      lifecycle.draining.removeEventListener('abort', endAll)
    }
  }

  const admit = (): void => {
    const state = lifecycle.state()
    if (state === 'starting' || state === 'draining') throw retryLater(state, RETRY_AFTER[state])
    if (readers.size >= MAX_OPERATOR_STREAMS) throw retryLater('events_overloaded', RETRY_AFTER.overloaded)
  }

  return {
    async serve(ctx, identity) {
      admit()
      const sendOwn = (): void => reader.send('metrics', JSON.stringify(metrics(reader.language)))
      const reader = openOperatorStream(ctx, {
        streamId: deps.ids.newId(),
        clock,
        heartbeatMs,
        slowReaderMs,
        onMissedMetrics: sendOwn,
      })
      readers.add(reader)
      stopListening ??= listen()
      sendOwn()
      // A reader who may no longer look must come back with a new token.
      const expiry = clock.schedule(identity.expiresAt - clock.wall(), () => reader.end())
      await reader.finished
      expiry.cancel()
      readers.delete(reader)
      if (readers.size > 0) return
      stopListening?.()
      stopListening = undefined
    },
  }
}

/** The same event to every reader, made once a language. */
function broadcast(
  readers: ReadonlySet<OperatorStream>,
  event: Parameters<OperatorStream['send']>[0],
  data: (language: Language) => unknown,
): void {
  const texts = new Map<Language, string>()
  for (const reader of readers) {
    const text = texts.get(reader.language) ?? JSON.stringify(data(reader.language))
    texts.set(reader.language, text)
    reader.send(event, text)
  }
}

/** What makes `metrics` worth sending: all but the instants, which pass by themselves. */
function contentOf({ direct, runtime, status }: MetricsEvent): string {
  const replicas = status.replicas.map(({ lastSeen: _passes, ...rest }) => rest)
  return JSON.stringify({
    direct,
    runtime,
    status: { ...status, replicas, probe: { ...status.probe, at: null } },
  })
}
