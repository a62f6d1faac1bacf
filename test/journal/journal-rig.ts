import type { Journal } from '../../src/journal/journal.js'
import type { Retention } from '../../src/journal/retention.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'

export const RETENTION: Retention = {
  transitions: { count: 300, maxAgeMs: 365 * 86_400_000 },
  samples: { count: 500, maxAgeMs: 7 * 86_400_000 },
  comparisons: { count: 400, maxAgeMs: 90 * 86_400_000 },
  contents: { count: 60, maxAgeMs: 86_400_000 },
  executions: { count: 600, maxAgeMs: 30 * 86_400_000 },
  drops: { count: 300, maxAgeMs: 90 * 86_400_000 },
  edits: { count: 100, maxAgeMs: 365 * 86_400_000 },
  rollout_changes: { count: 100, maxAgeMs: 365 * 86_400_000 },
}

/** Gives a fresh journal. */
export interface Open {
  (options: { clock: ManualClock; retention: Retention }): Journal | Promise<Journal>
  /** Resolves when the journal does nothing any more until its clock goes on; absent where it does everything at once. */
  quiet?(): Promise<void>
}

/** A journal for each test of the suite that asks for it, closed behind it, on a clock of its own. */
export interface JournalRig {
  readonly journal: Journal
  readonly clock: ManualClock
  /** as the journal sees it: `pass` puts it forward */
  wall(): number
  /** Another one; the one before is the caller's to close. */
  fresh(): Promise<void>
  /** Time for whatever a journal does by itself, in the end of so many days, on the last of which something was kept. */
  pass(days: number): Promise<void>
  /** The same, where nothing was kept meanwhile. */
  idle(days: number): Promise<void>
  /** The wall clock alone is put forward by so many days, then there is time for whatever a journal does by itself. */
  jump(days: number): Promise<void>
}

const MINUTE_MS = 60_000

export function journalRig(open: Open): JournalRig {
  let clock: ManualClock
  let journal: Journal
  /** ms that passed without timers: none has to fire for each minute of a year */
  let age: number
  /** ms by which the wall clock alone was put forward */
  let jumped: number

  const wall = (): number => clock.wall() + age + jumped
  const monotonic = (): number => clock.monotonic() + age
  const fresh = async (): Promise<void> => {
    clock = manualClock()
    age = 0
    jumped = 0
    journal = await open({ clock: { ...clock, wall, monotonic }, retention: RETENTION })
  }
  beforeEach(fresh)
  afterEach(() => journal.close())

  const advance = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await open.quiet?.()
  }
  const settle = async (): Promise<void> => {
    // What waits to be written is, before anything that is done each minute.
    for (let step = 0; step < 30; step += 1) await advance(100)
    await advance(MINUTE_MS)
    for (let step = 0; step < 50; step += 1) await advance(100)
  }

  return {
    get journal() {
      return journal
    },
    get clock() {
      return clock
    },
    wall,
    fresh,
    async pass(days) {
      // What counts by the minute ends its own first.
      await advance(MINUTE_MS)
      age += days * 86_400_000
      if (days > 0) journal.keepSample({ at: wall(), replica: 'rig', run: 'rig', seq: age, input: {} })
      await settle()
    },
    async idle(days) {
      await advance(MINUTE_MS)
      age += days * 86_400_000
      await settle()
    },
    async jump(days) {
      await advance(MINUTE_MS)
      jumped += days * 86_400_000
      await settle()
    },
  }
}
