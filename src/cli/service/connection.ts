import { CommandError } from '../text/command-error.js'
import type { Say } from '../text/language.js'
import { configPath, DEFAULT_PROFILE, isOpenToOthers, type Profile, readConfig } from './profiles.js'

type Environment = Readonly<Record<string, string | undefined>>

export const DEFAULT_URL = 'http://127.0.0.1:3001'

/** Where the service is and with which token it is asked, and who says so. */
export interface Connection {
  /** without a trailing slash */
  readonly url: string
  readonly urlFrom: string
  readonly token: string
  readonly tokenFrom: string
}

interface Asked {
  /** --url */
  readonly url?: string | undefined
  /** --profile */
  readonly profile?: string | undefined
}

/**
 * `--url` before `--profile` before CHAT_URL before the current profile. The token of a profile goes to the address of that
 * profile alone: an address from elsewhere needs CHAT_TOKEN.
 * @throws CommandError 2
 */
export function connectionOf(asked: Asked, env: Environment, t: Say): Connection {
  const url = urlOf(asked, env, t)
  return { ...url, ...tokenOf(asked, url.url, env, t) }
}

/** The address alone, for what needs no token. @throws CommandError 2 */
export function urlOf(asked: Asked, env: Environment, t: Say): Pick<Connection, 'url' | 'urlFrom'> {
  if (asked.url !== undefined) return { url: checkedUrl(asked.url, '--url', t), urlFrom: '--url' }
  const fromEnv = env.CHAT_URL?.trim()
  if (asked.profile === undefined && fromEnv)
    return { url: checkedUrl(fromEnv, 'CHAT_URL', t), urlFrom: 'CHAT_URL' }
  const named = profileOf(asked, env, t)
  if (named === undefined)
    return { url: DEFAULT_URL, urlFrom: t('the default: CHAT_URL is not set', '默认值：未设置 CHAT_URL') }
  const from = t(`profile "${named.name}"`, `配置 "${named.name}"`)
  return { url: checkedUrl(named.profile.url, from, t), urlFrom: from }
}

function tokenOf(
  asked: Asked,
  url: string,
  env: Environment,
  t: Say,
): Pick<Connection, 'token' | 'tokenFrom'> {
  const fromEnv = env.CHAT_TOKEN?.trim() ?? ''
  const named = asked.profile !== undefined || fromEnv === '' ? profileOf(asked, env, t) : undefined
  if (named !== undefined && sameUrl(named.profile.url, url)) {
    if (isOpenToOthers(env)) throw openToOthers(configPath(env), t)
    const tokenFrom = t(`profile "${named.name}"`, `配置 "${named.name}"`)
    return { token: checkedToken(named.profile.token, tokenFrom, t), tokenFrom }
  }
  if (fromEnv !== '') return { token: checkedToken(fromEnv, 'CHAT_TOKEN', t), tokenFrom: 'CHAT_TOKEN' }
  throw new CommandError(
    t(
      'CHAT_TOKEN is not set. Set it to an access token of a person who may operate the service (CHAT_OPERATOR_ROLE), or keep one: chat-cutover login',
      '未设置 CHAT_TOKEN。请设为有权运维本服务（CHAT_OPERATOR_ROLE）的访问令牌，或登录后保存：chat-cutover login',
    ),
    2,
  )
}

function profileOf(
  asked: Asked,
  env: Environment,
  t: Say,
): { readonly name: string; readonly profile: Profile } | undefined {
  const config = readConfig(env, t)
  const name = asked.profile ?? config.current ?? DEFAULT_PROFILE
  const profile = config.profiles[name]
  if (profile !== undefined) return { name, profile }
  if (asked.profile === undefined) return undefined
  const known = Object.keys(config.profiles).join(', ') || t('none', '无')
  throw new CommandError(
    t(
      `There is no profile "${name}" (there are: ${known}). Make it: chat-cutover login --profile ${name}`,
      `没有配置 "${name}"（现有：${known}）。请先创建：chat-cutover login --profile ${name}`,
    ),
    2,
  )
}

const openToOthers = (path: string, t: Say): CommandError =>
  new CommandError(
    t(
      `Others can read the tokens in ${path}. Close it: chmod 600 ${path}`,
      `其他用户可以读取 ${path} 中的令牌。请执行：chmod 600 ${path}`,
    ),
    2,
  )

const sameUrl = (a: string, b: string): boolean => withoutSlash(a) === withoutSlash(b)
const withoutSlash = (url: string): string => url.trim().replace(/\/+$/, '')

export function checkedUrl(given: string, from: string, t: Say): string {
  const url = withoutSlash(given)
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed !== undefined && /^https?:$/.test(parsed.protocol)) {
    if (parsed.username === '' && parsed.password === '') return url
    throw new CommandError(
      t(
        `${from} must not contain a user and password: the token alone says who asks`,
        `${from} 不能包含用户名和密码：身份只由令牌表明`,
      ),
      2,
    )
  }
  throw new CommandError(
    t(
      `${from} must be an http or https URL, like ${DEFAULT_URL}`,
      `${from} 必须是 http 或 https 地址，例如 ${DEFAULT_URL}`,
    ),
    2,
  )
}

export function checkedToken(token: string, from: string, t: Say): string {
  if (/^[\w.~+/=-]+$/.test(token)) return token
  throw new CommandError(
    t(
      `${from} is no token: set it to the token alone, without "Bearer" and blanks`,
      `${from} 不是令牌：请只填写令牌本身，不含 "Bearer" 和空白`,
    ),
    2,
  )
}
