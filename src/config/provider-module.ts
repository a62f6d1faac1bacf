import { resolveModule } from '../core/files/resolve-module.js'
import type { Environment } from './environment.js'
import type { Config } from './settings.js'

/** Whether the module exists, and whether another variable names a second source of the operators' flags. Loads nothing. */
export function providerModuleFaults(env: Environment): string[] {
  const { CHAT_PROVIDER_MODULE: name } = env
  if (name === undefined) return []
  const others = [
    ...(env.FLAGD_RESOLVER === 'file' ? [] : [`FLAGD_RESOLVER=${env.FLAGD_RESOLVER}`]),
    ...(env.CHAT_FLAG_STORE_OPS ? ['CHAT_FLAG_STORE_OPS=true'] : []),
    ...(env.CHAT_FLAG_SOURCE_PORT === undefined ? [] : ['CHAT_FLAG_SOURCE_PORT']),
  ]
  return [
    ...(urlOf(name) === undefined
      ? [
          `CHAT_PROVIDER_MODULE=${name} was not found: there is no such file, and no package of this name is installed here`,
        ]
      : []),
    ...others.map(
      (other) =>
        `${other} cannot be set together with CHAT_PROVIDER_MODULE: the operators' flags come from its provider alone`,
    ),
  ]
}

/** Empty where the variable is not set. */
export function providerModule({
  CHAT_PROVIDER_MODULE: name,
}: Environment): Pick<Config['flags'], 'providerModule'> {
  const url = name === undefined ? undefined : urlOf(name)
  return name === undefined || url === undefined ? {} : { providerModule: { name, url } }
}

const urlOf = (name: string): string | undefined => resolveModule(name, process.cwd())
