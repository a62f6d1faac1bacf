import { decodeJwt } from 'jose'
import { fallbackStatusSchema } from '../../protocol/fallback.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import { readSecret } from '../command/read-secret.js'
import { type Connection, checkedToken, urlOf } from '../service/connection.js'
import { configPath, DEFAULT_PROFILE, readConfig, writeConfig } from '../service/profiles.js'
import { CommandError, Refused } from '../text/command-error.js'
import { moment } from '../text/format.js'
import { oneLine, table } from '../text/table.js'

export const loginCommand: CommandSpec = {
  examples: [
    'login --url https://chat.example',
    'login --profile staging --url https://staging.example < token.txt',
    'token | chat-cutover login',
  ],
  exits: {
    en: 'Exit code: 0 kept; 1 the service is not there or refuses the token: nothing is kept; 2 wrong usage; 130 ended by Ctrl-C.',
    'zh-CN':
      '退出码（Exit code: 0 / 1 / 2 / 130）：0 已保存；1 服务不可达或拒绝该令牌，未保存；2 用法错误；130 被 Ctrl-C 中断。',
  },
  remote: true,
  async run(invocation) {
    const { given, env, t } = invocation
    const name = given.text('profile') ?? DEFAULT_PROFILE
    const config = readConfig(env, t)
    const kept = config.profiles[name] === undefined ? undefined : given.text('profile')
    const address = urlOf({ url: given.text('url'), profile: kept }, env, t)
    const { url } = address
    const token = await tokenFor(url, invocation)
    const role = await roleAt({ ...address, token, tokenFrom: t('the input', '输入内容') }, invocation)
    writeConfig(env, { ...config, current: name, profiles: { ...config.profiles, [name]: { url, token } } })
    const expiresAt = expiryOf(token)
    if (invocation.json) {
      invocation.printJson({ profile: name, url, role, expiresAt })
      return 0
    }
    const until =
      expiresAt === null ? '' : t(`, good until ${moment(expiresAt)}`, `，有效期至 ${moment(expiresAt)}`)
    const may =
      role === 'operator'
        ? t('It may operate the service.', '该令牌可以运维本服务。')
        : t('It may chat, not operate the service.', '该令牌可以对话，不能运维本服务。')
    invocation.print(
      `${t(`Kept as profile "${name}" for ${url}${until}.`, `已保存为配置 "${name}"，服务 ${url}${until}。`)} ${may}\n${configPath(env)}\n`,
    )
    return 0
  },
}

async function tokenFor(url: string, invocation: Invocation): Promise<string> {
  const { t } = invocation
  const prompt = t(`Access token for ${url} (not shown): `, `${url} 的访问令牌（不显示）：`)
  const token = await readSecret(prompt, invocation, invocation.interrupted())
  if (token !== '') return checkedToken(token, t('What was given', '输入内容'), t)
  throw new CommandError(
    t(
      'No token was given. Type it, or pipe it in: chat-cutover login < token.txt',
      '没有收到令牌。请输入，或通过管道传入：chat-cutover login < token.txt',
    ),
    2,
  )
}

/** @throws CommandError where the service is not there or does not take the token */
async function roleAt(connection: Connection, invocation: Invocation): Promise<'operator' | 'member'> {
  try {
    await invocation.client({ connection }).ask({ path: '/runtime/fallback/status' }, fallbackStatusSchema)
    return 'operator'
  } catch (thrown) {
    if (thrown instanceof Refused && thrown.status === 403) return 'member'
    throw thrown
  }
}

function expiryOf(token: string): string | null {
  try {
    const { exp } = decodeJwt(token)
    return exp === undefined ? null : new Date(exp * 1000).toISOString()
  } catch {
    return null
  }
}

export const logoutCommand: CommandSpec = {
  define: (command, t) =>
    void command.argument('[profile]', t('its name (the current one)', '名称（默认为当前配置）')),
  examples: ['logout', 'logout staging'],
  remote: false,
  async run({ given, env, t, json, print, printJson }) {
    const config = readConfig(env, t)
    const name = given.words[0] ?? config.current ?? DEFAULT_PROFILE
    if (config.profiles[name] === undefined)
      throw new CommandError(t(`There is no profile "${name}"`, `没有配置 "${name}"`), 2)
    const { [name]: _gone, ...profiles } = config.profiles
    const { current, ...rest } = config
    writeConfig(env, { ...rest, ...(current === undefined || current === name ? {} : { current }), profiles })
    if (json) printJson({ removed: name })
    else print(`${t(`Forgotten: profile "${name}".`, `已删除配置 "${name}"。`)}\n`)
    return 0
  },
}

export const profilesCommand: CommandSpec = {
  define: (command, t) => void command.argument('[name]', t('use this one from now on', '切换为此配置')),
  examples: ['profiles', 'profiles staging'],
  remote: false,
  async run({ given, env, t, json, print, printJson, style }) {
    const [name] = given.words
    let config = readConfig(env, t)
    if (name !== undefined) {
      if (config.profiles[name] === undefined)
        throw new CommandError(t(`There is no profile "${name}"`, `没有配置 "${name}"`), 2)
      config = { ...config, current: name }
      writeConfig(env, config)
    }
    const current = config.current ?? DEFAULT_PROFILE
    const known = Object.entries(config.profiles).map(([profile, { url, token }]) => ({
      profile,
      url,
      current: profile === current,
      expiresAt: expiryOf(token),
    }))
    if (json) printJson(known)
    else if (known.length === 0) print(`${t('None yet: chat-cutover login', '暂无：chat-cutover login')}\n`)
    else
      print(
        table(
          known.map(({ profile, url, current: used, expiresAt }) => [
            used ? style.good('→') : ' ',
            oneLine(profile),
            oneLine(url),
            expiresAt === null ? '' : t(`until ${moment(expiresAt)}`, `至 ${moment(expiresAt)}`),
          ]),
        ),
      )
    return 0
  },
}
