import type { z } from 'zod'
import { ConfigError } from './config/config-error.js'
import { directLlm } from './config/direct-llm.js'
import { type Environment, environmentSchema, type Given } from './config/environment.js'
import { databaseFaults, describeIssue, keyFaults, oidcFaults, workerFaults } from './config/faults.js'
import { flagStoreFaults } from './config/flag-store.js'
import { providerModuleFaults } from './config/provider-module.js'
import type { Config } from './config/settings.js'
import { toConfig } from './config/to-config.js'
import type { Bilingual } from './core/bilingual.js'
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
  const sound = parsed.success ? parsed.data : withoutFaulty(given, parsed.error)
  const llm = directLlm(given)
  const tracing = readTracingSettings(given)
  const faults = [
    ...secrets.faults,
    ...(parsed.success ? [] : parsed.error.issues.map((issue) => describeIssue(issue, given))),
    ...llm.faults,
    ...keyFaults(given, env),
    ...oidcFaults(given),
    ...(sound === undefined ? [] : faultsTogether(sound, given)),
    ...tracing.faults,
  ]
  if (!parsed.success || llm.endpoints === undefined || faults.length > 0) throw new ConfigError(faults)
  const config = toConfig(parsed.data, llm.endpoints, given)
  return tracing.settings === undefined ? config : { ...config, tracing: tracing.settings }
}

/** What remains if the variables with a fault of their own were not set, so that one message lists every fault. */
function withoutFaulty(given: Given, { issues }: z.ZodError): Environment | undefined {
  const faulty = new Set(issues.map(({ path }) => path[0]))
  return environmentSchema.safeParse(
    Object.fromEntries(Object.entries(given).filter(([name]) => !faulty.has(name))),
  ).data
}

/** Faults of variables that are good each by itself. */
const faultsTogether = (env: Environment, given: Given): Bilingual[] => [
  ...workerFaults(env),
  ...flagStoreFaults(env, given),
  ...providerModuleFaults(env),
  ...databaseFaults(env),
]
