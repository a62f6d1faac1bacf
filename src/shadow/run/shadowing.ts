import type { Clock } from '../../core/clock.js'
import type { Pulse } from '../../core/pulse/pulse.js'
import { type ControlHealthDeps, createControlHealth } from './control-health.js'
import { watchLoopPressure } from './loop-pressure.js'
import { createShadowRunner, type ShadowRunner, type ShadowRunnerDeps } from './shadow-runner.js'

export interface ShadowingDeps extends Omit<ShadowRunnerDeps, 'pressure' | 'sick'> {
  /** Users alone keep this process busy enough: shadows are left out. */
  isOverloaded(): boolean
  readonly control: Omit<ControlHealthDeps, 'clock'>
  /** `clock` with coarse timers */
  readonly deadlines: Clock
  /** tells whether the event loop is late */
  readonly pulse: Pulse
}

/** The shadow runner with what it watches: this process' event loop and the health of the controls. */
export function createShadowing(deps: ShadowingDeps): ShadowRunner & { start(): void } {
  const { clock, deadlines, pulse, control, isOverloaded, ...rest } = deps
  const loop = watchLoopPressure(clock, pulse)
  const health = createControlHealth({ clock, ...control })
  const runner = createShadowRunner({
    ...rest,
    clock: deadlines,
    pressure: () => (isOverloaded() ? 'some' : loop.now()),
    sick: (mode) => health.sick(mode),
  })
  return {
    start: () => loop.start(),
    consider: (turn, decision, limits) => runner.consider(turn, decision, limits),
    counts: () => runner.counts(),
    async stop(drainMs) {
      await runner.stop(drainMs)
      loop.stop()
    },
  }
}
