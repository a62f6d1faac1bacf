import { randomUUID } from 'node:crypto'
import type { Config } from '../config.js'
import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import type { Pulse } from '../core/pulse/pulse.js'
import type { Alert } from '../fallback/fallback.js'

/** What every part is made from. */
export interface Surroundings {
  readonly config: Config
  readonly logger: Logger
  readonly clock: Clock
  /** the same with coarse timers, for whatever waits for a backend */
  readonly deadlines: Clock
  /** for all that watch this process */
  readonly pulse: Pulse
  /** what the edge has to tell an operator of */
  alerts?(): readonly Alert[]
  /** absent: none */
  openStreams?(): number
}

export const ids = { newId: (): string => randomUUID() }
