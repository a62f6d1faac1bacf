import type { Evidence, FallbackGuardrails } from '../../../src/fallback/evidence/evidence.js'
import { NO_TALLY } from '../../../src/fallback/evidence/evidence.js'
import type { Command } from '../../../src/fallback/fallback.js'
import { next } from '../../../src/fallback/machine/machine.js'
import {
  type Effect,
  type FallbackInput,
  type FallbackState,
  initialState,
  type LeaseSeen,
  type StoreSeen,
} from '../../../src/fallback/machine/state.js'
import type { Transition } from '../../../src/journal/journal.js'
import type { Tally } from '../../../src/metrics/windows/windows.js'
import type { FallbackPolicy } from '../../../src/protocol/fallback.js'
import { NEUTRAL, type Override } from '../../../src/store/override/override.js'

/** The machine driven by hand: the test says what there is at each tick, and what becomes of the writes. */

export const GUARDRAILS: FallbackGuardrails = {
  errorRate: 0.5,
  timeoutRate: 0.3,
  latencyShare: 0.8,
  totalMs: 300_000,
  minSamples: 10,
  confidence: 0,
  windowSeconds: 300,
  fastWindowSeconds: 10,
  tickMs: 1000,
  probeFailures: 2,
  holdSeconds: 30,
  maxHoldSeconds: 900,
  quietSeconds: 300,
  recoverySamples: 5,
  rampPercents: [5, 25, 100],
  rampStepSeconds: 30,
  leaseSeconds: 15,
  scoped: true,
  consecutiveFailures: 5,
  firstContentP95Ms: null,
}

export function tally(total: number, errors = 0, timeouts = 0, meanMs = 100): Tally {
  return { total, errors, timeouts, latencySumMs: total * meanMs }
}

export const over = (runtime: Tally): Evidence['runtime'] => ({
  slow: runtime,
  fast: runtime,
  recent: runtime,
})

/** Nothing is known of any execution, and the runtime is well and in use. */
export const CALM: Evidence = {
  at: 0,
  runtime: { slow: NO_TALLY, fast: NO_TALLY, recent: NO_TALLY },
  direct: NO_TALLY,
  probe: { failures: 0, goodForMs: 60_000, healthy: true },
  runtimeTurnAgoMs: 500,
  quietForMs: 500,
}
export const WELL: Evidence = { ...CALM, runtime: over(tally(20)) }
export const FAILING: Evidence = { ...CALM, runtime: over(tally(20, 15)) }
export const DEAD: Evidence = { ...CALM, probe: { failures: 2, goodForMs: 0, healthy: false } }
export const QUIET: Evidence = {
  ...CALM,
  probe: { failures: 0, goodForMs: 300_000, healthy: true },
  quietForMs: 300_000,
}

/** The two files. */
export class Files {
  override: StoreSeen = { kind: 'override', hash: 'h0', override: NEUTRAL }
  lease: LeaseSeen = { kind: 'missing' }
  #count = 0

  hash(): string {
    this.#count += 1
    return `h${this.#count}`
  }

  put(override: Override): void {
    this.override = { kind: 'override', hash: this.hash(), override: JSON.parse(JSON.stringify(override)) }
  }

  get stored(): Override {
    return this.override.kind === 'override' ? this.override.override : NEUTRAL
  }

  get content(): string {
    return 'hash' in this.override ? this.override.hash : this.override.kind
  }

  get leaseContent(): string {
    return 'hash' in this.lease ? this.lease.hash : this.lease.kind
  }
}

export interface TickPart {
  readonly evidence?: Evidence
  readonly guardrails?: FallbackGuardrails
  readonly policy?: FallbackPolicy
  readonly store?: StoreSeen
  readonly lease?: LeaseSeen
  readonly provider?: { readonly ready: boolean; readonly override?: Override }
  readonly jitter?: number
}

const FAULT = { code: 'EROFS', message: 'read-only' } as const
export const FAILED: StoreSeen = { kind: 'failed', fault: { code: 'EIO', message: 'unreadable' } }
/** The store took too long to read. */
export const LATE: StoreSeen = { kind: 'failed', fault: { code: 'timeout', message: 'late' }, isLate: true }

export class Driven {
  state: FallbackState
  /** of the last step */
  effects: readonly Effect[] = []
  /** all that was reported, in order */
  readonly reports: Transition[] = []
  readonly adopted: Transition[] = []
  #now: number

  constructor(
    readonly files = new Files(),
    readonly name = 'r1',
    readonly clock: { readonly origin: number; wallOffset: number } = { origin: 1000, wallOffset: 0 },
  ) {
    this.#now = 0
    this.state = initialState({ replica: name, owner: `${name}#n` }, this.now)
  }

  get now(): number {
    return this.clock.origin + this.#now
  }

  get wall(): number {
    return Date.UTC(2026, 0, 1) + this.#now + this.clock.wallOffset
  }

  get known(): Override {
    return this.state.known
  }

  get auto(): string {
    const { auto } = this.known
    return auto.state === 'recovering' ? `recovering ${auto.percent}` : auto.state
  }

  get kinds(): (string | undefined)[] {
    return this.reports.map(({ kind }) => kind)
  }

  pass(ms: number): this {
    this.#now += ms
    return this
  }

  /** Evidence is gathered just before the tick. */
  tick(part: TickPart = {}): readonly Effect[] {
    const { files } = this
    this.#now += 1
    const { evidence = WELL, guardrails = GUARDRAILS, policy = 'auto', jitter = 0 } = part
    const { store = files.override, lease = files.lease, provider = this.#provider } = part
    const at = evidence.at === 0 ? this.now - 0.5 : evidence.at
    return this.input({
      kind: 'tick',
      ...this.#instant,
      evidence: { ...evidence, at },
      guardrails,
      policy,
      store,
      lease,
      provider,
      jitter,
    })
  }

  /** A tick, and what it wants written is written. */
  round(part: TickPart = {}): this {
    this.write(this.tick(part))
    return this
  }

  /** Rounds of a second each. */
  rounds(count: number, part: TickPart = {}): this {
    for (let index = 0; index < count; index += 1) this.pass(999).round(part)
    return this
  }

  command(command: Command, guardrails = GUARDRAILS): this {
    this.input({ kind: 'command', ...this.#instant, command, guardrails })
    return this
  }

  /** Writes what these effects say; false where a race was lost. */
  write(effects: readonly Effect[]): boolean {
    let isWon = true
    for (const effect of effects) {
      if (effect.kind === 'write') isWon = this.#write(effect)
      else if (effect.kind === 'write_lease') this.#writeLease(effect)
    }
    return isWon
  }

  fail(jitter = 0): this {
    this.input({ kind: 'write_failed', ...this.#instant, fault: FAULT, jitter })
    return this
  }

  input(input: FallbackInput): readonly Effect[] {
    const { state, effects } = next(this.state, input)
    this.state = state
    this.effects = effects
    for (const effect of effects) {
      if (effect.kind === 'report') this.reports.push(effect.transition)
      if (effect.kind === 'adopted') this.adopted.push(effect.transition)
    }
    return effects
  }

  has(kind: Effect['kind']): boolean {
    return this.effects.some((effect) => effect.kind === kind)
  }

  /** The provider gives back at once what is in the file. */
  get #provider(): NonNullable<TickPart['provider']> {
    const { override } = this.files
    return override.kind === 'override' ? { ready: true, override: override.override } : { ready: true }
  }

  get #instant(): { now: number; wall: number } {
    return { now: this.now, wall: this.wall }
  }

  #write({ override, expected, version }: Effect & { kind: 'write' }): boolean {
    if (this.files.content !== expected) return false
    this.files.put(override)
    this.input({
      kind: 'written',
      ...this.#instant,
      hash: this.files.content,
      revision: override.revision,
      version,
      guardrails: GUARDRAILS,
    })
    return true
  }

  #writeLease({ lease }: Effect & { kind: 'write_lease' }): void {
    if (this.files.leaseContent !== lease.expected) return
    this.files.lease = { kind: 'lease', hash: this.files.hash(), owner: lease.owner }
    this.input({
      kind: 'lease_written',
      ...this.#instant,
      hash: this.files.leaseContent,
      owner: lease.owner,
    })
  }
}

/** A replica that has just tripped because of errors, and written it. */
export function fallen(files = new Files(), name = 'r1'): Driven {
  return new Driven(files, name).round().pass(1000).round({ evidence: FAILING })
}

/** ... and whose runtime was well when the hold was over. */
export function recovering(files = new Files(), name = 'r1'): Driven {
  return fallen(files, name).rounds(29).rounds(2)
}
