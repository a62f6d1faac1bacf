import type { Sentence } from './language.js'

export const SIGN_IN = {
  title: { en: 'Sign in', 'zh-CN': '登录' },
  token: { en: 'Access token (JWT)', 'zh-CN': '访问令牌 (JWT)' },
  hint: {
    en: 'Paste a token with the role admin or owner. On a development machine, "npx chat-cutover token --role owner" prints one. It is kept in this tab alone.',
    'zh-CN':
      '粘贴角色为 admin 或 owner 的令牌。在开发机上可用 “npx chat-cutover token --role owner” 生成。令牌只保存在当前标签页中。',
  },
  submit: { en: 'Sign in', 'zh-CN': '登录' },
  oidc: { en: 'Sign in with {issuer}', 'zh-CN': '通过 {issuer} 登录' },
  or: { en: 'or', 'zh-CN': '或' },
  unreadable: {
    en: 'This is not a token of this service. It needs three parts separated by dots and the claims sub, org_id, role and exp.',
    'zh-CN': '这不是本服务的令牌：应由三段以点分隔的文本组成，并包含 sub、org_id、role 和 exp。',
  },
  expired: {
    en: 'Your token has expired. Sign in again with a new one.',
    'zh-CN': '令牌已过期，请用新的令牌重新登录。',
  },
  refused: {
    en: 'The service refused the token: it is expired, or signed by another key.',
    'zh-CN': '服务拒绝了该令牌：令牌已过期，或由其他密钥签名。',
  },
} as const satisfies Record<string, Sentence>
