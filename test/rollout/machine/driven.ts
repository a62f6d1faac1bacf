import { createHash } from 'node:crypto'
import type { LeaseSeen } from '../../../src/fallback/machine/state.js'
import type { RolloutChangeRecord } from '../../../src/protocol/rollout.js'
import { next } from '../../../src/rollout/machine/machine.js'
import {
  type Hold,
  initialRolloutState,
  type RolloutEffect,
  type RolloutInput,
  type RolloutSeen,
  type RolloutState,
} from '../../../src/rollout/machine/state.js'
import type { OpsMode, RolloutCommand } from '../../../src/rollout/rollout.js'
import type { StageVerdict } from '../../../src/rollout/stage-verdict.js'
import { percentOf, type RolloutPlan } from '../../../src/store/rollout/rollout.js'
import { parseRollout, renderRollout } from '../../../src/store/rollout/rollout-document.js'

export const HEALTHY: StageVerdict = { kind: 'healthy' }
export const TOO_FEW: StageVerdict = { kind: 'insufficient_data', lacks: 'samples' }
export const BREACH: StageVerdict = {
  kind: 'breach',
  breach: { cause: 'error_rate', value: 0.9, threshold: 0.5 },
}
export const PLAN: RolloutPlan = { stages: [1, 5, 25, 100], everyMinutes: 1 }
export const MINUTE = 60_000
/** ms between two ticks */
export const TICK = 1000
const LEASE_MS = 15_000
export const EMPTY = '{"flags":{}}'

export const start = (plan: RolloutPlan = PLAN): RolloutCommand => ({
  kind: 'start',
  userId: 'ops',
  plan,
  reason: '',
})
export const command = (kind: 'pause' | 'resume' | 'abort'): RolloutCommand => ({
  kind,
  userId: 'ops',
  reason: 'because',
})

/** Two files and a clock that replicas share. */
export class World {
  now = 1_000_000
  text: string | undefined = EMPTY
  lease: { text: string; owner: string | null } | undefined
  isWritable = true
  opsMode: OpsMode = 'direct'
  hold: Hold | null = null

  #read: { readonly text: string; readonly seen: RolloutSeen } | undefined

  /** What the file says; parsed once for each text, as most looks find it unchanged. */
  get seen(): RolloutSeen {
    const { text } = this
    if (text === undefined) return { kind: 'missing' }
    if (this.#read?.text !== text) this.#read = { text, seen: { ...parseRollout(text), hash: hashOf(text) } }
    return this.#read.seen
  }

  get percent(): number {
    const { seen } = this
    return seen.kind === 'rollout' ? percentOf(seen.rollout.progress) : 0
  }
}

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** One replica on the shared files. `write` is apart from `tick`, so that others may come in between. */
export class Replica {
  state: RolloutState
  verdict: StageVerdict = TOO_FEW
  probeHealthy = true
  readonly changes: RolloutChangeRecord[] = []
  readonly restarts: number[] = []
  #toWrite: RolloutEffect[] = []
  #nonce = 0

  constructor(
    readonly name: string,
    private readonly world: World,
  ) {
    this.state = initialRolloutState({ replica: name, owner: `${name}#0` }, world.now)
  }

  get percent(): number {
    return percentOf(this.state.force.progress)
  }

  get kinds(): string[] {
    return this.changes.map(({ kind }) => kind)
  }

  /** All in one go, as the loop does. */
  round(): void {
    this.tick()
    for (let attempt = 0; attempt < 5 && !this.write(); attempt += 1) this.tick()
  }

  command(asked: RolloutCommand): void {
    this.ask(asked)
    this.round()
  }

  /** A command that comes between two rounds. */
  ask(asked: RolloutCommand): void {
    this.#take({ kind: 'command', ...this.#at(), command: asked, opsMode: this.world.opsMode })
  }

  /** A new process of the same name. */
  restart(): void {
    this.#nonce += 1
    this.#toWrite = []
    this.verdict = TOO_FEW
    const self = { replica: this.name, owner: `${this.name}#${this.#nonce}` }
    this.state = initialRolloutState(self, this.world.now)
  }

  tick(): void {
    const { opsMode, hold } = this.world
    this.#toWrite = [
      ...this.#take({
        kind: 'tick',
        ...this.#at(),
        store: this.world.seen,
        lease: this.#seenLease(),
        provided: this.state.stored.revision,
        verdict: this.verdict,
        evidence: { total: 0, errors: 0, timeouts: 0, avgLatencyMs: 0 },
        hold,
        probeHealthy: this.probeHealthy,
        opsMode,
        leaseMs: LEASE_MS,
      }),
    ]
  }

  /** @returns false where a race was lost */
  write(): boolean {
    const { world } = this
    let isWon = true
    for (const effect of this.#toWrite.splice(0)) {
      if (effect.kind === 'write') {
        const base = world.text
        if (!world.isWritable) {
          const fault = { code: 'EROFS', message: 'read-only' }
          this.#take({ kind: 'write_failed', ...this.#at(), fault, jitter: 0 })
        } else if (base === undefined || hashOf(base) !== effect.expected) isWon = false
        else {
          world.text = renderRollout(effect.rollout, base)
          const { rollout, version } = effect
          this.#take({ kind: 'written', ...this.#at(), hash: hashOf(world.text), rollout, version })
        }
      }
      if (effect.kind === 'write_lease') this.#writeLease(effect.lease)
    }
    return isWon
  }

  #writeLease(lease: { owner: string | null; counter: number; expected: string }): void {
    const { world } = this
    const present = world.lease === undefined ? 'missing' : hashOf(world.lease.text)
    if (present !== lease.expected) return
    const text = JSON.stringify({ owner: lease.owner, counter: lease.counter })
    world.lease = { text, owner: lease.owner }
    this.#take({ kind: 'lease_written', ...this.#at(), hash: hashOf(text), owner: lease.owner })
  }

  #seenLease(): LeaseSeen {
    const { lease } = this.world
    return lease === undefined
      ? { kind: 'missing' }
      : { kind: 'lease', hash: hashOf(lease.text), owner: lease.owner }
  }

  #take(input: RolloutInput): readonly RolloutEffect[] {
    const { state, effects } = next(this.state, input)
    this.state = state
    for (const effect of effects) {
      if (effect.kind === 'report') this.changes.push(effect.change)
      if (effect.kind === 'restart_evidence') {
        this.restarts.push(this.world.now)
        // What a replica judged by is gone with it.
        this.verdict = TOO_FEW
      }
    }
    return effects
  }

  #at() {
    return { now: this.world.now, wall: 1_700_000_000_000 + this.world.now }
  }
}

/** Ticks of all replicas for a time, each judged anew before each tick. */
export function run(
  world: World,
  replicas: readonly Replica[],
  ms: number,
  judge: (replica: Replica) => StageVerdict = ({ verdict }) => verdict,
): void {
  for (const end = world.now + ms; world.now < end; ) {
    world.now += TICK
    for (const replica of replicas) {
      replica.verdict = judge(replica)
      replica.round()
    }
  }
}
