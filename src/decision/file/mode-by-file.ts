import type { CodeDefaults } from '../../config.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import { type Caller, evaluationContext } from '../caller.js'
import { loadFlags } from '../check/flag-source.js'
import { flagCoreOf } from '../flag-core.js'
import { FLAG_KEYS } from '../flags.js'
import { silentSdkLogger } from '../sdk-logger.js'
import { parseMode } from '../values/flag-result.js'

/**
 * Which mode the operators' file gives a caller, with the environment's say if it has none: as a turn is decided while
 * no override is on. Pure.
 */
export function modeByFile(
  text: string,
  environment: Pick<CodeDefaults, 'mode' | 'enabledOrgs'>,
): (caller: Caller) => ExecutionMode {
  const loaded = loadFlags({ kind: 'text', text }, 'ops', new Map())
  const flags = loaded.kind === 'loaded' ? loaded.flags : new Map()
  const enabledOrgs = new Set(environment.enabledOrgs)
  const core = flagCoreOf(() => flags)
  return (caller) => {
    const otherwise = enabledOrgs.has(caller.orgId) ? 'runtime_orchestrator' : environment.mode
    const context = evaluationContext(caller)
    const { value } = core.resolveStringEvaluation(FLAG_KEYS.mode, otherwise, context, silentSdkLogger)
    const parsed = parseMode(value)
    return parsed.kind === 'value' ? parsed.value : otherwise
  }
}
