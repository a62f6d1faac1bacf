import { explainCommand } from './explain.js'
import { historyCommand, resetCommand, triggerCommand } from './fallback.js'
import type { AnyCommand } from './invocation.js'
import { metricsCommand } from './metrics.js'
import { OWN_COMMANDS } from './own-commands.js'
import { statusCommand } from './status.js'

/** Every command, in the order of the help. */
export const COMMANDS: readonly AnyCommand[] = [
  statusCommand,
  explainCommand,
  metricsCommand,
  triggerCommand,
  resetCommand,
  historyCommand,
  ...OWN_COMMANDS,
]
