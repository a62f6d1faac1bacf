import { SignJWT } from 'jose'
import { type WithSecrets, withSecretFiles } from '../../core/files/secret-files.js'
import { ROLES, roleSchema } from '../../protocol/api.js'
import { withEnvFile } from '../command/env-file.js'
import { type CommandSpec, type Invocation, wholeNumber } from '../command/invocation.js'
import { CommandError } from '../text/command-error.js'

const MIN_SECRET_BYTES = 32
const DAY_SECONDS = 86_400
const MAX_TTL_SECONDS = 366 * DAY_SECONDS

export const tokenCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .option('--role <role>', `${ROLES.join(', ')} (admin)`)
      .option('--org <id>', t('its org (demo)', '组织（demo）'))
      .option('--user <id>', t('its user (operator)', '用户（operator）'))
      .option(
        '--ttl <seconds>',
        t('valid for this time (3600)', '有效期（3600）'),
        wholeNumber(1, MAX_TTL_SECONDS, t),
      ),
  examples: ['token', 'token --role member --org acme --user ada --ttl 86400', 'token | chat-cutover login'],
  exits: {
    en: 'Exit code: 0 done; 2 wrong usage, or no JWT_SECRET (or JWT_SECRET_FILE) in the environment or in .env.',
    'zh-CN':
      '退出码（Exit code: 0 / 2）：0 完成；2 用法错误，或环境变量与 .env 中没有 JWT_SECRET（或 JWT_SECRET_FILE）。',
  },
  remote: false,
  async run(invocation) {
    const { given, clock } = invocation
    const { env, faults } = withSecretFiles(withEnvFile(invocation.env))
    const secret = secretOf(env, faults, invocation)
    const seconds = given.number('ttl') ?? 3600
    const now = Math.floor(clock.wall() / 1000)
    const claims = { org_id: given.text('org') ?? 'demo', role: roleOf(invocation) }
    const jwt = new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setSubject(given.text('user') ?? 'operator')
      .setIssuedAt(now)
      .setExpirationTime(now + seconds)
    if (env.JWT_ISSUER) jwt.setIssuer(env.JWT_ISSUER)
    if (env.JWT_AUDIENCE) jwt.setAudience(env.JWT_AUDIENCE)
    const token = await jwt.sign(new TextEncoder().encode(secret))
    if (invocation.json)
      invocation.printJson({ token, expiresAt: new Date((now + seconds) * 1000).toISOString() })
    else invocation.print(`${token}\n`)
    return 0
  },
}

function roleOf({ given, t }: Invocation) {
  const word = given.text('role') ?? 'admin'
  const role = roleSchema.safeParse(word)
  if (role.success) return role.data
  const known = ROLES.join(', ')
  throw new CommandError(
    t(`There is no role "${word}". Roles: ${known}`, `没有角色 "${word}"。可用：${known}`),
    2,
  )
}

function secretOf(
  { JWT_SECRET: secret, JWKS_URL: jwks }: Invocation['env'],
  faults: WithSecrets['faults'],
  { t }: Invocation,
): string {
  const fault = faults.find(({ en }) => en.startsWith('JWT_SECRET'))
  if (fault !== undefined) throw new CommandError(t(fault.en, fault['zh-CN']), 2)
  if (!secret)
    throw new CommandError(
      jwks
        ? t(
            'The service verifies tokens by JWKS_URL: only your identity provider can make one. Keep it by chat-cutover login',
            '服务通过 JWKS_URL 验证令牌，只能由身份提供方签发。获取后用 chat-cutover login 保存',
          )
        : t(
            'JWT_SECRET is not set. Set it to the secret that the service has; production tokens come from your identity provider',
            '未设置 JWT_SECRET。请设为服务所用的密钥；生产令牌由身份提供方签发',
          ),
      2,
    )
  if (Buffer.byteLength(secret) >= MIN_SECRET_BYTES) return secret
  throw new CommandError(
    t(
      `JWT_SECRET must be at least ${MIN_SECRET_BYTES} bytes`,
      `JWT_SECRET 至少需要 ${MIN_SECRET_BYTES} 字节`,
    ),
    2,
  )
}
