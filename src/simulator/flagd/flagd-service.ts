import type {
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { JsonValue } from '@openfeature/server-sdk'
import type { Clock, Timer } from '../../core/clock.js'
import { endCall, PushStreams, type StreamEnd, UNAVAILABLE } from '../../core/flagd/push-streams.js'
import { type Evaluated, FlagdEvaluator, type FlagType } from './flagd-evaluate.js'
import { changeEvent, KEEP_ALIVE, mergeEvents, PROVIDER_READY } from './flagd-events.js'
import { type FlagdFaults, NO_FAULTS } from './flagd-faults.js'
import type { EventMessage, ResolveRequest, ResolveResponse, SyncMessage } from './flagd-proto.js'
import type { FlagChange, FlagdStore } from './flagd-store.js'
import { fromStruct, toStruct, toValue, type WireStruct } from './flagd-struct.js'

/** A message to answer with, or the status that refuses. */
type Result<T> = { readonly ok: true; readonly message: T } | ({ readonly ok: false } & StreamEnd)
type ToWire = (value: JsonValue) => ResolveResponse['value']

const NOTHING: WireStruct = { fields: {} }

/** flagd's evaluation and sync services over one store; `@openfeature/flagd-provider` speaks to them as to flagd. */
export class FlagdService {
  readonly #store: FlagdStore
  readonly #clock: Clock
  readonly #keepAliveMs: number
  readonly #evaluator = new FlagdEvaluator()
  readonly #events = new PushStreams<EventMessage>(mergeEvents)
  readonly #syncs = new PushStreams<SyncMessage>((_waiting, next) => next)
  readonly #delays = new Set<Timer>()
  #keepAlive: Timer
  #faults: FlagdFaults = NO_FAULTS

  /** `keepAliveMs`: between two `keep_alive` events */
  constructor(store: FlagdStore, clock: Clock, keepAliveMs: number) {
    this.#store = store
    this.#clock = clock
    this.#keepAliveMs = keepAliveMs
    this.#keepAlive = this.#scheduleKeepAlive()
  }

  setFaults(faults: FlagdFaults): void {
    this.#faults = faults
    if (faults.unavailable) this.#endStreams()
  }

  /** The store has taken a source: evaluations follow, every stream hears of it. */
  flagsChanged(changes: ReadonlyMap<string, FlagChange>): void {
    this.#evaluator.load(this.#store.flags)
    this.#syncs.send(this.#configuration())
    if (changes.size > 0) this.#events.send(changeEvent(changes))
  }

  /** Ends every stream with UNAVAILABLE and drops what is still delayed. */
  close(): void {
    this.#keepAlive.cancel()
    for (const timer of this.#delays) timer.cancel()
    this.#delays.clear()
    this.#endStreams()
  }

  /** `flagd.evaluation.v2.Service` */
  readonly evaluation: UntypedServiceImplementation = {
    ResolveBoolean: this.#resolver('boolean', scalar),
    ResolveString: this.#resolver('string', scalar),
    ResolveFloat: this.#resolver('number', scalar),
    ResolveInt: this.#resolver('number', (value) => Math.trunc(Number(value))),
    ResolveObject: this.#resolver('object', (value) => toValue(value).structValue),
    EventStream: (call: ServerWritableStream<unknown, EventMessage>) =>
      this.#open(this.#events, call, PROVIDER_READY),
  }

  /** `flagd.sync.v1.FlagSyncService`; selectors are not looked at: every client gets all flags. */
  readonly sync: UntypedServiceImplementation = {
    SyncFlags: (call: ServerWritableStream<unknown, SyncMessage>) =>
      this.#open(this.#syncs, call, this.#configuration()),
    FetchAllFlags: (_call: unknown, answer: sendUnaryData<{ flagConfiguration: string }>) =>
      this.#answer(answer, () => message({ flagConfiguration: this.#store.configuration() })),
    GetMetadata: (_call: unknown, answer: sendUnaryData<{ metadata: WireStruct }>) =>
      this.#answer(answer, () => message({ metadata: NOTHING })),
  }

  #resolver(type: FlagType, toWire: ToWire) {
    return (
      call: ServerUnaryCall<ResolveRequest, ResolveResponse>,
      answer: sendUnaryData<ResolveResponse>,
    ) => {
      const { flagKey = '', context } = call.request
      this.#answer(answer, () => {
        const evaluation = this.#evaluator.evaluate(type, flagKey, fromStruct(context))
        return evaluation.ok ? message(response(evaluation, toWire)) : evaluation
      })
    }
  }

  #open<T>(streams: PushStreams<T>, call: ServerWritableStream<unknown, T>, first: T): void {
    if (this.#faults.unavailable) endCall(call, UNAVAILABLE)
    else streams.open(call, first)
  }

  /** Answers when it is due, under the faults in effect by then. */
  #answer<T>(answer: sendUnaryData<T>, produce: () => Result<T>): void {
    const send = () => {
      const result = this.#faults.unavailable ? { ok: false as const, ...UNAVAILABLE } : produce()
      if (result.ok) answer(null, result.message)
      else answer({ code: result.code, details: result.details })
    }
    if (this.#faults.delayMs === 0) {
      send()
      return
    }
    const timer = this.#clock.schedule(this.#faults.delayMs, () => {
      this.#delays.delete(timer)
      send()
    })
    this.#delays.add(timer)
  }

  #configuration(): SyncMessage {
    return { flagConfiguration: this.#store.configuration(), syncContext: NOTHING }
  }

  #scheduleKeepAlive(): Timer {
    return this.#clock.schedule(this.#keepAliveMs, () => {
      this.#events.send(KEEP_ALIVE)
      this.#keepAlive = this.#scheduleKeepAlive()
    })
  }

  #endStreams(): void {
    this.#events.end(UNAVAILABLE)
    this.#syncs.end(UNAVAILABLE)
  }
}

const message = <T>(content: T): Result<T> => ({ ok: true, message: content })

const scalar: ToWire = (value) => (typeof value === 'object' ? undefined : value)

function response({ value, variant, reason, metadata }: Evaluated, toWire: ToWire): ResolveResponse {
  const answer = { reason, metadata: toStruct(metadata) }
  const wire = value === undefined ? undefined : toWire(value)
  return variant === undefined || wire === undefined ? answer : { ...answer, variant, value: wire }
}
