import type { Clock } from '../../core/clock.js'
import type { Logger } from '../../core/logger.js'
import type { Outcome } from '../../execution/outcome.js'
import type { Journal, Transition } from '../../journal/journal.js'
import type { JudgedLog, JudgedWindow, PublicWindows } from '../../metrics/windows/windows.js'
import type { FallbackPolicy } from '../../protocol/fallback.js'
import type { FlagStore } from '../../store/flag-store.js'
import type { FallbackGuardrails } from '../evidence/evidence.js'
import type { KeptUsual } from '../evidence/kept-usual.js'
import type { Alert, Fallback, Subject } from '../fallback.js'
import type { FleetEvidence } from '../fleet/fleet-evidence.js'
import type { HealthProbe, ProbeResult } from '../probe/probe.js'
import type { StandbyWatch } from '../probe/standby-watch.js'

/** What the loop gets, and what it is for the process that runs it. */

/** The guardrails of everything the loop runs. */
export interface LoopGuardrails extends FallbackGuardrails {
  readonly probeIntervalMs: number
  readonly probeTimeoutMs: number
  readonly recoveryShadowPercent: number
}

/** What the flags say to the loop, each time it asks. */
export interface LoopFlags {
  readonly guardrails: LoopGuardrails
  readonly policy: FallbackPolicy
  readonly override?: {
    readonly on: boolean
    readonly metadata: Readonly<Record<string, string | number | boolean>>
  }
  readonly ready: boolean
}

export interface FallbackDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly replica: string
  /** of this start of this process */
  readonly nonce: string
  /** 0 to 1 */
  random(): number
  /** in force until the flags are asked first */
  readonly codeDefaults: Pick<LoopFlags, 'guardrails' | 'policy'>
  readonly flags: {
    forService(): Promise<LoopFlags>
    onChange(listener: (keys: readonly string[]) => void): () => void
  }
  readonly store: FlagStore
  readonly probe: (wiring: {
    onResult(result: ProbeResult): void
    guardrails(): LoopGuardrails
  }) => HealthProbe
  /** absent: nobody looks after the direct LLM while it is not used */
  readonly standby?: (wiring: { onChange(): void }) => StandbyWatch
  /** what usually fails, from one start to the next; absent: each start knows nothing */
  readonly keptUsual?: KeptUsual
  readonly judged: {
    readonly runtime: JudgedWindow
    readonly direct: JudgedWindow
    /** the runtime's, by org and agent */
    readonly log: JudgedLog
  }
  /** executions and health of other replicas; absent: this one judges alone */
  readonly fleet?: FleetEvidence
  /** Hands on what is evidence, and keeps back our own faults; absent: everything is evidence. */
  sift?(outcome: Outcome, record: (outcome: Outcome) => void): void
  /** what others have to tell beside the loop's own alerts */
  otherAlerts?(): readonly Alert[]
  readonly windows: Pick<PublicWindows, 'clear' | 'resize'>
  readonly journal: Pick<Journal, 'keepTransition' | 'keepSample'>
  /** Never throws, never waits. */
  notify(transition: Transition): void
}

/** The fallback with its loop. */
export interface RunningFallback extends Fallback {
  /** Ends after the first round; never rejects. */
  start(): Promise<void>
  /** Ends the loop and the probe, and lets the lease go. */
  stop(): Promise<void>
  /** The live connection to the runtime was refused or broken: probe at once. */
  trouble(): void
  /** A request went out to the runtime, of a turn or a shadow. */
  requestSent(): void
  /** An execution of the runtime, of a turn or a shadow, got its response head. */
  headCame(): void
  /** One recovery shadow's end, into the judged window alone. */
  recordShadow(outcome: Outcome): void
  /** in force now */
  readonly guardrails: LoopGuardrails
  /** A turn that goes to the direct LLM because of the override may be tried on the runtime, silently. */
  maySpareShadow(subject: Subject): boolean
}
