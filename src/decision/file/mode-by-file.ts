import { StandardResolutionReasons } from '@openfeature/server-sdk'
import type { CodeDefaults } from '../../config.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import { type Caller, evaluationContext, NOBODY } from '../caller.js'
import { loadFlags } from '../check/flag-source.js'
import { flagCoreOf } from '../flag-core.js'
import { FLAG_KEYS } from '../flags.js'
import { silentSdkLogger } from '../sdk-logger.js'
import { parseMode } from '../values/flag-result.js'

/**
 * Which mode the operators' file gives a caller, with the environment's say if it has none: as a turn is decided while
 * no override is on. Pure, if `isRolledOut` is.
 * @param isRolledOut whether the guarded rollout would put a caller on the runtime, where the file leaves that to it
 */
export function modeByFile(
  text: string,
  environment: Pick<CodeDefaults, 'mode' | 'enabledOrgs'>,
  isRolledOut: (caller: Caller) => boolean,
): (caller: Caller) => ExecutionMode {
  const loaded = loadFlags({ kind: 'text', text }, 'ops', new Map())
  const flags = loaded.kind === 'loaded' ? loaded.flags : new Map()
  const enabledOrgs = new Set(environment.enabledOrgs)
  const core = flagCoreOf(() => flags)
  const byFile = (caller: Caller): { readonly mode: ExecutionMode; readonly isTargeted: boolean } => {
    const otherwise = enabledOrgs.has(caller.orgId) ? 'runtime_orchestrator' : environment.mode
    const context = evaluationContext(caller)
    const details = core.resolveStringEvaluation(FLAG_KEYS.mode, otherwise, context, silentSdkLogger)
    const parsed = parseMode(details.value)
    if (parsed.kind !== 'value') return { mode: otherwise, isTargeted: false }
    return { mode: parsed.value, isTargeted: details.reason === StandardResolutionReasons.TARGETING_MATCH }
  }
  const forAll = byFile(NOBODY)
  // A rule for everybody, or the runtime by default: it ends a rollout.
  const hasRollout = !forAll.isTargeted && forAll.mode === 'direct_llm'
  return (caller) => {
    const { mode, isTargeted } = byFile(caller)
    const isOpen = hasRollout && !isTargeted && mode === 'direct_llm'
    return isOpen && isRolledOut(caller) ? 'runtime_orchestrator' : mode
  }
}
