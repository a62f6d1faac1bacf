import { parseFlagStore } from '../store/flag-store-choice.js'
import type { Environment, Given } from './environment.js'
import type { Config } from './settings.js'

const flagStoreOf = ({ CHAT_FLAG_STORE: store, CHAT_DATABASE: database }: Environment, given: Given) =>
  parseFlagStore(store, { database, kubernetesHost: given.KUBERNETES_SERVICE_HOST })

export function flagStoreFaults(env: Environment, given: Given): string[] {
  const parsed = flagStoreOf(env, given)
  if (parsed.kind === 'fault') return [`CHAT_FLAG_STORE ${parsed.fault}`]
  if (parsed.choice.kind !== 'file' || !env.CHAT_FLAG_STORE_OPS) return []
  return [
    'CHAT_FLAG_STORE_OPS=true needs a CHAT_FLAG_STORE of postgres: or kubernetes:; with file: the flags of the operators are in CHAT_FLAGS_FILE',
  ]
}

/** Nothing for files: a configuration without a store says nothing of one. */
export function flagStore(env: Environment, given: Given): Pick<Config['flags'], 'store' | 'opsInStore'> {
  const parsed = flagStoreOf(env, given)
  if (parsed.kind === 'fault' || parsed.choice.kind === 'file') return {}
  return { store: parsed.choice, opsInStore: env.CHAT_FLAG_STORE_OPS }
}
