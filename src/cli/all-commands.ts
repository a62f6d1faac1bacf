import { chatCommand } from './chat/chat.js'
import type { AnyCommand } from './command/invocation.js'
import { doctorCommand } from './doctor/doctor.js'
import { drillCommand } from './doctor/drill.js'
import { flagsDiffCommand } from './edit/flags-diff.js'
import { guardrailsGetCommand, guardrailsSetCommand } from './edit/guardrails.js'
import { limitsGetCommand, limitsSetCommand } from './edit/limits.js'
import { modeGetCommand, modeSetCommand } from './edit/mode.js'
import { orgsAddCommand, orgsListCommand, orgsRemoveCommand } from './edit/orgs.js'
import { canarySetCommand, policySetCommand, shadowSetCommand } from './edit/shares.js'
import { OWN_COMMANDS } from './own-commands.js'
import { runtimeCheckCommand } from './runtime-check/runtime-check.js'
import { completionCommand } from './setup/completion.js'
import { loginCommand, logoutCommand, profilesCommand } from './setup/login.js'
import { migrateCommand } from './setup/migrate.js'
import { tokenCommand } from './setup/token.js'
import { explainCommand } from './show/explain.js'
import { historyCommand, resetCommand, triggerCommand } from './show/fallback.js'
import { flagsHistoryCommand, flagsShowCommand } from './show/flags-show.js'
import { metricsCommand } from './show/metrics.js'
import { replayCommand } from './show/replay.js'
import {
  rolloutAbortCommand,
  rolloutHistoryCommand,
  rolloutPauseCommand,
  rolloutResumeCommand,
  rolloutStartCommand,
  rolloutStatusCommand,
} from './show/rollout.js'
import { sessionsDeleteCommand, sessionsListCommand, sessionsShowCommand } from './show/sessions.js'
import { shadowPairsCommand } from './show/shadow-pairs.js'
import { shadowReportCommand } from './show/shadow-report.js'
import { statusCommand } from './show/status.js'
import { sessionsTraceCommand } from './show/turn-trace.js'
import { watchCommand } from './show/watch.js'

/** Every command, in the order of the help. */
export const COMMANDS: readonly AnyCommand[] = [
  statusCommand,
  watchCommand,
  explainCommand,
  metricsCommand,
  historyCommand,
  rolloutStatusCommand,
  rolloutHistoryCommand,
  modeGetCommand,
  orgsListCommand,
  guardrailsGetCommand,
  limitsGetCommand,
  flagsShowCommand,
  flagsHistoryCommand,
  sessionsListCommand,
  sessionsShowCommand,
  sessionsTraceCommand,
  shadowReportCommand,
  shadowPairsCommand,
  triggerCommand,
  resetCommand,
  modeSetCommand,
  orgsAddCommand,
  orgsRemoveCommand,
  canarySetCommand,
  rolloutStartCommand,
  rolloutPauseCommand,
  rolloutResumeCommand,
  rolloutAbortCommand,
  shadowSetCommand,
  guardrailsSetCommand,
  limitsSetCommand,
  policySetCommand,
  sessionsDeleteCommand,
  chatCommand,
  drillCommand,
  replayCommand,
  ...OWN_COMMANDS,
  doctorCommand,
  runtimeCheckCommand,
  flagsDiffCommand,
  loginCommand,
  logoutCommand,
  profilesCommand,
  tokenCommand,
  migrateCommand,
  completionCommand(() => COMMANDS),
]
