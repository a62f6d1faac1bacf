import type { Bilingual } from '../core/bilingual.js'
import { resolveModule } from '../core/files/resolve-module.js'
import type { Environment } from './environment.js'
import type { Config } from './settings.js'

/** Whether the module exists, and whether another variable names a second source of the operators' flags. Loads nothing. */
export function providerModuleFaults(env: Environment): Bilingual[] {
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
          {
            en: `CHAT_PROVIDER_MODULE=${name} was not found: there is no such file, and no package of this name is installed here`,
            'zh-CN': `找不到 CHAT_PROVIDER_MODULE=${name}：没有这个文件，此处也未安装同名的包`,
          },
        ]
      : []),
    ...others.map((other) => ({
      en: `${other} cannot be set together with CHAT_PROVIDER_MODULE: the operators' flags come from its provider alone`,
      'zh-CN': `${other} 不能与 CHAT_PROVIDER_MODULE 同时设置：运维 flag 只来自该模块的 provider`,
    })),
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
