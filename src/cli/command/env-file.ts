import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Environment } from './invocation.js'

/** The environment as the service would see it here: with the `.env` of the working directory, which gives way. */
export function withEnvFile(env: Environment): Environment {
  try {
    return { ...parseEnv(readFileSync('.env', 'utf8')), ...env }
  } catch {
    return env
  }
}
