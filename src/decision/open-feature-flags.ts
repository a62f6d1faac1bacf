import type { CodeDefaults, Config } from '../config.js'
import { createTurnDefaults } from './code-defaults.js'
import { DaemonFlags } from './daemon/daemon-flags.js'
import { FileFlags } from './file/file-flags.js'
import type { Flags, FlagsDeps } from './flags.js'
import { ProviderFlags } from './provider/provider-flags.js'

/** The flags by the configured resolver, through OpenFeature. Nothing is read or connected before `start`. */
export function createFlags(config: Config['flags'], environment: CodeDefaults, deps: FlagsDeps): Flags {
  const defaults = createTurnDefaults(environment, deps.llmEndpoints)
  if (config.providerModule !== undefined)
    return new ProviderFlags(config.providerModule, config, defaults, deps)
  return config.resolver === 'file'
    ? new FileFlags(config, defaults, deps)
    : new DaemonFlags(config.resolver, config, defaults, deps)
}
