import { errorCode, errorText } from '../../core/errors.js'
import type { Say, Text } from './language.js'

const UNTRUSTED: Text = {
  en: 'its certificate is not trusted here; name its authority in NODE_EXTRA_CA_CERTS',
  'zh-CN': '证书不受信任；请在 NODE_EXTRA_CA_CERTS 中指定其 CA',
}

/** What codes of the system mean to somebody who does not know them. */
const WORDS: ReadonlyMap<string, Text> = new Map<string, Text>([
  ['ENOENT', { en: 'there is no such file', 'zh-CN': '文件不存在' }],
  ['EISDIR', { en: 'it is a directory', 'zh-CN': '这是目录，不是文件' }],
  ['ENOTDIR', { en: 'a part of the path is no directory', 'zh-CN': '路径中有一部分不是目录' }],
  ['EACCES', { en: 'no permission', 'zh-CN': '没有权限' }],
  ['EPERM', { en: 'no permission', 'zh-CN': '没有权限' }],
  ['EROFS', { en: 'the file system is read-only', 'zh-CN': '文件系统只读' }],
  ['ECONNREFUSED', { en: 'nothing listens there', 'zh-CN': '该地址没有服务在监听' }],
  ['ECONNRESET', { en: 'the connection was cut', 'zh-CN': '连接被中断' }],
  ['UND_ERR_SOCKET', { en: 'the connection was cut', 'zh-CN': '连接被中断' }],
  ['ENOTFOUND', { en: 'there is no host of this name', 'zh-CN': '没有这个主机名' }],
  ['EAI_AGAIN', { en: 'the name of the host cannot be looked up now', 'zh-CN': '暂时无法解析主机名' }],
  ['ETIMEDOUT', { en: 'no answer in time', 'zh-CN': '超时未应答' }],
  ['UND_ERR_CONNECT_TIMEOUT', { en: 'no answer in time', 'zh-CN': '超时未应答' }],
  ['EHOSTUNREACH', { en: 'there is no way to this host', 'zh-CN': '无法到达该主机' }],
  ['ENETUNREACH', { en: 'there is no way to this network', 'zh-CN': '无法到达该网络' }],
  [
    'ERR_SSL_WRONG_VERSION_NUMBER',
    {
      en: 'it speaks no TLS there; is it http, not https?',
      'zh-CN': '对方未启用 TLS；是否应为 http 而非 https？',
    },
  ],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', UNTRUSTED],
  ['SELF_SIGNED_CERT_IN_CHAIN', UNTRUSTED],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', UNTRUSTED],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', UNTRUSTED],
  ['CERT_HAS_EXPIRED', { en: 'its certificate has expired', 'zh-CN': '证书已过期' }],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    { en: 'its certificate is for another name', 'zh-CN': '证书签发给其他名称' },
  ],
  ['bad port', { en: 'Node refuses to ask this port', 'zh-CN': 'Node 拒绝访问该端口' }],
])

/** Why a file or a server cannot be reached: the code of the system, and what it means; else the text of the error. */
export function causeText(thrown: unknown, t: Say): string {
  const code = typeof thrown === 'string' ? thrown : (errorCode(thrown) ?? errorText(thrown))
  const words = WORDS.get(code)
  return words === undefined ? code : t(`${code} (${words.en})`, `${code}（${words['zh-CN']}）`)
}

/** What `parseArgs` of Node says of wrong words, by its English text. */
const USAGE_ZH: readonly (readonly [RegExp, string])[] = [
  [/^Unknown option '(.*?)'.*$/s, "未知选项 '$1'"],
  [/^Unexpected argument '(.*?)'.*$/s, "多余的参数 '$1'"],
  [/^Option '(.*?)' argument missing.*$/s, "选项 '$1' 缺少取值"],
  [/^Option '(.*?)' does not take an argument.*$/s, "选项 '$1' 不带取值"],
  [/^Option '(.*?)' argument is ambiguous.*$/s, "选项 '$1' 的取值以 - 开头，请写成 --选项=取值"],
]

/** Why the words of a command are wrong. */
export function usageText(thrown: unknown, t: Say): string {
  const fault = errorText(thrown)
  const [form, text] = USAGE_ZH.find(([one]) => one.test(fault)) ?? []
  return t(fault, `用法错误：${form === undefined || text === undefined ? fault : fault.replace(form, text)}`)
}
