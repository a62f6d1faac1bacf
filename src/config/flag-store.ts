import type { Bilingual } from '../core/bilingual.js'
import { parseFlagStore } from '../store/flag-store-choice.js'
import type { Environment, Given } from './environment.js'
import { behind } from './faults.js'
import type { Config } from './settings.js'

const flagStoreOf = ({ CHAT_FLAG_STORE: store, CHAT_DATABASE: database }: Environment, given: Given) =>
  parseFlagStore(store, { database, kubernetesHost: given.KUBERNETES_SERVICE_HOST })

export function flagStoreFaults(env: Environment, given: Given): Bilingual[] {
  const parsed = flagStoreOf(env, given)
  if (parsed.kind === 'fault') return [behind('CHAT_FLAG_STORE', parsed.fault)]
  if (parsed.choice.kind !== 'file' || !env.CHAT_FLAG_STORE_OPS) return []
  return [
    {
      en: 'CHAT_FLAG_STORE_OPS=true needs a CHAT_FLAG_STORE of postgres: or kubernetes:; with file: the flags of the operators are in CHAT_FLAGS_FILE',
      'zh-CN':
        'CHAT_FLAG_STORE_OPS=true 要求 CHAT_FLAG_STORE 为 postgres: 或 kubernetes:；使用 file: 时运维 flag 在 CHAT_FLAGS_FILE 中',
    },
  ]
}

/** Nothing for files: a configuration without a store says nothing of one. */
export function flagStore(env: Environment, given: Given): Pick<Config['flags'], 'store' | 'opsInStore'> {
  const parsed = flagStoreOf(env, given)
  if (parsed.kind === 'fault' || parsed.choice.kind === 'file') return {}
  return { store: parsed.choice, opsInStore: env.CHAT_FLAG_STORE_OPS }
}
