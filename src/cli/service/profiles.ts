import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { errorCode } from '../../core/errors.js'
import { causeText } from '../text/cause-text.js'
import { CommandError } from '../text/command-error.js'
import type { Say } from '../text/language.js'

const profileSchema = z.object({ url: z.string(), token: z.string() })
export type Profile = z.infer<typeof profileSchema>

/** `~/.config/chat-cutover/config.json`. */
const configSchema = z.object({
  /** the profile that is used where none is named */
  current: z.string().optional(),
  profiles: z.record(z.string(), profileSchema).default({}),
})
export type CliConfig = z.infer<typeof configSchema>

export const DEFAULT_PROFILE = 'default'

type Environment = Readonly<Record<string, string | undefined>>

export function configPath(env: Environment): string {
  const base = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config')
  return join(base, 'chat-cutover', 'config.json')
}

/** An empty one where there is none. @throws CommandError where it cannot be read, or is another thing */
export function readConfig(env: Environment, t: Say): CliConfig {
  const path = configPath(env)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (thrown) {
    const code = errorCode(thrown)
    if (code === 'ENOENT' || code === 'ENOTDIR') return { profiles: {} }
    const why = causeText(thrown, t)
    throw new CommandError(t(`${path} cannot be read: ${why}`, `无法读取 ${path}：${why}`), 2)
  }
  try {
    return configSchema.parse(JSON.parse(text))
  } catch {
    throw new CommandError(
      t(
        `${path} is not a configuration of this command. Correct it, or remove it and log in again: chat-cutover login`,
        `${path} 不是本命令的配置文件，请修正，或删除后重新登录：chat-cutover login`,
      ),
      2,
    )
  }
}

/** Whether others than the owner can read the tokens. */
export function isOpenToOthers(env: Environment): boolean {
  try {
    return process.platform !== 'win32' && (statSync(configPath(env)).mode & 0o077) !== 0
  } catch {
    return false
  }
}

/** Replaces the file at once, readable by its owner alone. */
export function writeConfig(env: Environment, config: CliConfig): void {
  const path = configPath(env)
  const fresh = `${path}.${process.pid}.new`
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  try {
    writeFileSync(fresh, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    chmodSync(fresh, 0o600)
    renameSync(fresh, path)
  } finally {
    rmSync(fresh, { force: true })
  }
}
