import { randomUUID } from 'node:crypto'
import type { Flags } from '../decision/flags.js'
import type { RunningFallback } from '../fallback/loop/running-fallback.js'
import type { Journal } from '../journal/journal.js'
import type { LocalFaults } from '../metrics/local-faults.js'
import type { JudgedWindow } from '../metrics/windows/windows.js'
import type { Notifier } from '../notifications/notifier.js'
import { createRollout, type RunningRollout } from '../rollout/rollout-loop.js'
import type { FlagStores } from '../store/open-flag-stores.js'
import type { Surroundings } from './surroundings.js'

interface RolloutParts {
  readonly flags: Flags
  readonly flagStores: FlagStores
  readonly fallback: RunningFallback
  readonly journal: Journal
  readonly notifier: Notifier | undefined
  readonly localFaults: LocalFaults
  readonly rolledOut: JudgedWindow
}

export function openRollout(
  { flags, flagStores, fallback, journal, notifier, localFaults, rolledOut }: RolloutParts,
  { config, clock, logger }: Surroundings,
): RunningRollout {
  const nonce = randomUUID()
  return createRollout({
    clock,
    logger,
    replica: config.replica,
    nonce,
    random: Math.random,
    flags,
    store: flagStores.rollout(nonce),
    fallback,
    judged: rolledOut,
    sift: (outcome, record) => localFaults.sift(outcome, record),
    keep: (change) => journal.keepRolloutChange(change),
    notify: (change) => notifier?.notify(change),
  })
}
