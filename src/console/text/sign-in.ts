import type { Sentence } from './language.js'

export const SIGN_IN = {
  token: { en: 'Access token (JWT)', 'zh-CN': '访问令牌 (JWT)' },
  hint: {
    en: 'Paste a token with the role admin or owner. On a development machine, "npx chat-cutover token --role owner" prints one. It is kept in this tab alone.',
    'zh-CN':
      '粘贴角色为 admin 或 owner 的令牌。在开发机上可用 “npx chat-cutover token --role owner” 生成。令牌只保存在当前标签页中。',
  },
  submit: { en: 'Sign in', 'zh-CN': '登录' },
  oidc: { en: 'Sign in with {issuer}', 'zh-CN': '通过 {issuer} 登录' },
  busy: { en: 'Signing in with {issuer}…', 'zh-CN': '正在通过 {issuer} 登录…' },
  or: { en: 'or with a token:', 'zh-CN': '或使用令牌：' },
  unreadable: {
    en: 'This is not a token of this service. It needs three parts separated by dots and the claims sub, org_id, role and exp.',
    'zh-CN': '这不是本服务的令牌：应由三段以点分隔的文本组成，并包含 sub、org_id、role 和 exp。',
  },
  expired: {
    en: 'Your token has expired. Sign in again with a new one.',
    'zh-CN': '令牌已过期，请用新的令牌重新登录。',
  },
  refused: {
    en: 'The service refused the token: it is expired, signed by another key or algorithm, or its issuer or audience is another one (JWT_ISSUER, JWT_AUDIENCE).',
    'zh-CN':
      '服务拒绝了该令牌：令牌已过期、由其他密钥或算法签名，或其签发方或受众不符（JWT_ISSUER、JWT_AUDIENCE）。',
  },
} as const satisfies Record<string, Sentence>

/** Why a sign-in at the issuer did not succeed. */
export const OIDC_FAULTS = {
  unreachable: {
    en: '{issuer} cannot be reached. Try again, or sign in with a token.',
    'zh-CN': '无法连接 {issuer}。请重试，或使用令牌登录。',
  },
  no_tokens: {
    en: '{issuer} answers, but this page cannot read what its token address sends. Either it has just gone away, or it must allow the origin {origin} there (CORS) for the client of the console. Try again, or sign in with a token.',
    'zh-CN':
      '{issuer} 有应答，但本页面无法读取其令牌地址的响应：可能刚刚中断，也可能需要在该地址为控制台的客户端允许来源 {origin}（CORS）。请重试，或使用令牌登录。',
  },
  no_issuer: {
    en: '{issuer} does not answer as the issuer that this service is configured for: {said}. CHAT_CONSOLE_OIDC_ISSUER must be exactly what the issuer calls itself.',
    'zh-CN':
      '{issuer} 的应答与本服务配置的签发方不符：{said}。CHAT_CONSOLE_OIDC_ISSUER 必须与签发方自身的标识完全一致。',
  },
  other_origin: {
    en: '{issuer} gives out tokens at another address, {said}. This page may ask the address of the issuer alone; sign in with a token.',
    'zh-CN': '{issuer} 在另一地址 {said} 发放令牌，而本页面只能访问签发方自身的地址。请使用令牌登录。',
  },
  not_begun: {
    en: 'This sign-in was not started in this tab, or it was started again. Sign in once more.',
    'zh-CN': '此次登录不是在当前标签页中发起的，或已重新发起。请再次登录。',
  },
  denied: {
    en: '{issuer} refused the sign-in: {said}.',
    'zh-CN': '{issuer} 拒绝了登录：{said}。',
  },
  broken: {
    en: 'The answer of {issuer} cannot be used: {said}.',
    'zh-CN': '{issuer} 的应答无法使用：{said}。',
  },
  unusable: {
    en: 'You are signed in at {issuer}, but this service cannot use its token: it needs the claims sub, org_id, role (member, admin or owner) and exp. Ask the administrator of {issuer} to add them.',
    'zh-CN':
      '已在 {issuer} 登录，但其令牌不能用于本服务：需要 sub、org_id、role（member、admin 或 owner）和 exp。请联系 {issuer} 的管理员添加。',
  },
} as const satisfies Record<string, Sentence>
