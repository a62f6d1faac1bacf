import { ConfigError } from './config/config-error.js'
import { directLlm } from './config/direct-llm.js'
import { environmentSchema, type Given } from './config/environment.js'
import { databaseFaults, describeIssue, keyFaults, oidcFaults, workerFaults } from './config/faults.js'
import { flagStoreFaults } from './config/flag-store.js'
import { providerModuleFaults } from './config/provider-module.js'
import type { Config } from './config/settings.js'
import { toConfig } from './config/to-config.js'
import { withSecretFiles } from './core/files/secret-files.js'
import { readTracingSettings } from './core/tracing/tracing-settings.js'

export { ConfigError } from './config/config-error.js'
export type { CodeDefaults, Config, Resolver, TokenKeys } from './config/settings.js'

/**
 * Parses the environment, with the secrets of the files that `*_FILE` variables name. An empty variable counts as not set.
 * @throws ConfigError naming every missing or wrong variable
 */
export function loadConfig(env: Given): Config {
  const secrets = withSecretFiles(env)
  const given = Object.fromEntries(
    Object.entries(secrets.env).filter(([, value]) => value !== undefined && value.trim() !== ''),
  )
  const parsed = environmentSchema.safeParse(given)
  const llm = directLlm(given)
  const tracing = readTracingSettings(given)
  const faults = [
    ...secrets.faults,
    ...(parsed.success ? [] : parsed.error.issues.map((issue) => describeIssue(issue, given))),
    ...llm.faults,
    ...keyFaults(given, env),
    ...oidcFaults(given),
    ...(parsed.success ? workerFaults(parsed.data) : []),
    ...(parsed.success ? flagStoreFaults(parsed.data, given) : []),
    ...(parsed.success ? providerModuleFaults(parsed.data) : []),
    ...(parsed.success ? databaseFaults(parsed.data) : []),
    ...tracing.faults,
  ]
  if (!parsed.success || llm.endpoints === undefined || faults.length > 0) throw new ConfigError(faults)
  const config = toConfig(parsed.data, llm.endpoints, given)
  return tracing.settings === undefined ? config : { ...config, tracing: tracing.settings }
}
