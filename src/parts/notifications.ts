import type { Journal } from '../journal/journal.js'
import { createNotifier, type Notifier } from '../notifications/notifier.js'
import type { Surroundings } from './surroundings.js'

export function openNotifier(
  { notifications }: Journal,
  { config, clock, logger }: Surroundings,
): Notifier | undefined {
  const { notify, replica } = config
  return notify === undefined
    ? undefined
    : createNotifier({ ...notify, clock, logger, replica, kept: notifications })
}
