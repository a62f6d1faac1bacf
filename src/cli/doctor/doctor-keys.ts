import { counted } from '../../core/text.js'
import type { Environment, Invocation } from '../command/invocation.js'
import type { Finding } from './finding.js'
import { probeUrl } from './probe-url.js'

/** Whether the server of the signing keys answers with a set of keys, where tokens are verified by them. */
export async function checkKeys(env: Environment, { t, interrupted, clock }: Invocation): Promise<Finding[]> {
  const address = env.JWKS_URL?.trim() ?? ''
  if (!URL.canParse(address)) return []
  const url = new URL(address)
  const where = `${url.protocol}//${url.host}${url.pathname}`
  const check = t('signing keys', '签名密钥')
  const fault = (text: string): Finding[] => [
    {
      check,
      result: 'fault',
      text,
      advice: t(
        'Repair the key server or the way to it, or correct JWKS_URL; the service does not become ready without keys, unless it kept those of the last day',
        '请修复密钥服务器或到它的网络，或修正 JWKS_URL；没有密钥时服务不会就绪，除非保存有最近一天的密钥',
      ),
    },
  ]
  const probed = await probeUrl(address, { interrupted: interrupted(), now: () => clock.wall() })
  if (probed.kind === 'failed') return fault(`${where}: ${probed.why}`)
  if (probed.status !== 200)
    return fault(t(`${where}: status ${probed.status}`, `${where}：状态码 ${probed.status}`))
  const keys = keysIn(probed.body)
  if (keys === 0) return fault(t(`${where}: the answer has no keys`, `${where}：返回内容中没有密钥`))
  return [{ check, result: 'ok', text: t(`${where}: ${counted(keys, 'key')}`, `${where}：${keys} 个密钥`) }]
}

/** How many keys a JSON Web Key Set (RFC 7517) has; 0 for what is none. */
function keysIn(body: string): number {
  try {
    const parsed: unknown = JSON.parse(body)
    const keys: unknown =
      typeof parsed === 'object' && parsed !== null && 'keys' in parsed ? parsed.keys : undefined
    return Array.isArray(keys) ? keys.length : 0
  } catch {
    return 0
  }
}
