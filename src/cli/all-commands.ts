import { explainCommand } from './explain.js'
import { historyCommand, resetCommand, triggerCommand } from './fallback.js'
import { flagsDiffCommand } from './flags-diff.js'
import { flagsHistoryCommand, flagsShowCommand } from './flags-show.js'
import { guardrailsGetCommand, guardrailsSetCommand } from './guardrails.js'
import type { AnyCommand } from './invocation.js'
import { metricsCommand } from './metrics.js'
import { modeGetCommand, modeSetCommand } from './mode.js'
import { orgsAddCommand, orgsListCommand, orgsRemoveCommand } from './orgs.js'
import { OWN_COMMANDS } from './own-commands.js'
import { canarySetCommand, policySetCommand, shadowSetCommand } from './shares.js'
import { statusCommand } from './status.js'

/** Every command, in the order of the help. */
export const COMMANDS: readonly AnyCommand[] = [
  statusCommand,
  explainCommand,
  metricsCommand,
  historyCommand,
  modeGetCommand,
  orgsListCommand,
  guardrailsGetCommand,
  flagsShowCommand,
  flagsHistoryCommand,
  triggerCommand,
  resetCommand,
  modeSetCommand,
  orgsAddCommand,
  orgsRemoveCommand,
  canarySetCommand,
  shadowSetCommand,
  guardrailsSetCommand,
  policySetCommand,
  ...OWN_COMMANDS,
  flagsDiffCommand,
]
