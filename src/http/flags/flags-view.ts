import { isJsonFault, parseJsonTree, positionOf } from '../../core/json/json-tree.js'
import type { FlagsStatus } from '../../decision/flags.js'
import { OpsDocument } from '../../flag-edits/ops-document.js'
import { opsValues } from '../../flag-edits/ops-values.js'
import type { FlagsView, OpsFileView } from '../../protocol/flag-edit.js'
import type { Stored } from '../../store/flag-store.js'
import type { AppDeps } from '../app-deps.js'

type Settings = Pick<AppDeps['config'], 'flags' | 'codeDefaults'>

/** `GET /runtime/flags`: where the flags come from and what is wrong with them, and what the operators' file says. */
export function flagsView(
  { resolver, state, faults }: FlagsStatus,
  { flags, codeDefaults }: Settings,
  stored: Stored,
  name = flags.opsFile,
): FlagsView {
  const { mode, enabledOrgs, shadowPercent, errorRate, totalMs } = codeDefaults
  return {
    resolver,
    state,
    faults: [...faults],
    ops:
      flags.providerModule === undefined
        ? opsFileView(name, stored)
        : { file: flags.providerModule.name, values: null, fault: null },
    environment: { mode, enabledOrgs: [...enabledOrgs], shadowPercent, errorRate, totalMs },
  }
}

function opsFileView(file: string, stored: Stored): OpsFileView {
  if (stored.kind === 'missing') return { file, values: null, fault: 'there is no such file' }
  if (stored.kind === 'failed') return { file, values: null, fault: stored.fault.message }
  const root = parseJsonTree(stored.text)
  if (!isJsonFault(root)) return { file, values: opsValues(new OpsDocument(root)), fault: null }
  return {
    file,
    values: null,
    fault: `line ${positionOf(stored.text, root.offset).line}: ${root.message.en}`,
  }
}
