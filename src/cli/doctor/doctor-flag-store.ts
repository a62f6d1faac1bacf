import { systemClock } from '../../core/clock.js'
import { withSecretFiles } from '../../core/files/secret-files.js'
import { checkFlagDocument } from '../../decision/check/ops-file-check.js'
import type { FlagFileKind } from '../../decision/flags.js'
import type { FlagDocument } from '../../decision/read-flag-file.js'
import { type FlagStoreChoice, parseFlagStore } from '../../store/flag-store-choice.js'
import { openFlagStores } from '../../store/open-flag-stores.js'
import type { Environment, Invocation } from '../command/invocation.js'
import { oneLine } from '../text/table.js'
import type { Finding } from './finding.js'

/** What CHAT_FLAG_STORE says; a fault in it is told by the check of the configuration. */
export function storeOf(given: Environment): { readonly choice: FlagStoreChoice; readonly ops: boolean } {
  const { env } = withSecretFiles(given)
  const context = { database: env.CHAT_DATABASE ?? '', kubernetesHost: env.KUBERNETES_SERVICE_HOST }
  const parsed = parseFlagStore(env.CHAT_FLAG_STORE || 'file:', context)
  const choice = parsed.kind === 'choice' ? parsed.choice : ({ kind: 'file' } as const)
  return { choice, ops: choice.kind !== 'file' && /^(true|1)$/i.test(env.CHAT_FLAG_STORE_OPS ?? '') }
}

/** The documents of the flag store, where it is no file: whether it answers, and what is wrong with them. Changes nothing. */
export async function checkFlagStore(env: Environment, invocation: Invocation): Promise<Finding[]> {
  const { choice: store, ops: opsInStore } = storeOf(env)
  if (store.kind === 'file') return []
  const settings = { store, opsInStore, opsFile: '', overrideFile: '' }
  const stores = await openFlagStores(settings, systemClock, 'doctor')
  try {
    const { override, ops } = stores.documents
    const checks = [
      ...(ops === undefined ? [] : [checkDocument(ops, 'ops', invocation)]),
      ...(override === undefined ? [] : [checkDocument(override, 'override', invocation)]),
    ]
    return await Promise.all(checks)
  } finally {
    await stores.close()
  }
}

async function checkDocument(
  document: FlagDocument,
  kind: FlagFileKind,
  { t }: Invocation,
): Promise<Finding> {
  const check = kind === 'ops' ? t("operators' flags", '运维 flag') : t('override', '覆盖 flag')
  const content = await document.read()
  switch (content.kind) {
    case 'unreadable':
      return { check, result: 'fault', text: oneLine(content.message) }
    case 'missing':
      return {
        check,
        result: 'ok',
        text: t(
          `${document.name}: not there yet; the service writes it`,
          `${document.name}：尚不存在，由服务写入`,
        ),
      }
    case 'text': {
      const [first] = checkFlagDocument(content.text, kind).filter(({ severity }) => severity === 'error')
      if (first === undefined) return { check, result: 'ok', text: document.name }
      return {
        check,
        result: 'fault',
        text: `${document.name}:${first.line}:${first.column}: ${oneLine(t(first.message, first.zh))}`,
      }
    }
  }
}
