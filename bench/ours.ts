import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { type MeasuredProcess, startService } from './measured-process.js'

const SECRET = 'bench-secret-bench-secret-bench-secret'
const ORG = 'bench'

/** The service as deployed by default (but for `env`): resolver `file`, SQLite, auth, metrics, one log line a turn. */
export async function startOurs(
  upstream: string,
  env: Record<string, string> = {},
): Promise<MeasuredProcess & { bearer: string; bearerOf(org: string): Promise<string> }> {
  mkdirSync('data', { recursive: true })
  const folder = mkdtempSync(join('data', 'bench-'))
  for (const file of ['chat.flagd.json', 'auto-fallback.flagd.json'])
    copyFileSync(join('flags', file), join(folder, file))
  const service = await startService({
    PORT: '0',
    JWT_SECRET: SECRET,
    LLM_BASE_URL: `${upstream}/v1`,
    RUNTIME_SERVICE_URL: upstream,
    CHAT_RUNTIME_ENABLED_ORGS: ORG,
    CHAT_FLAGS_FILE: join(folder, 'chat.flagd.json'),
    CHAT_FALLBACK_FLAGS_FILE: join(folder, 'auto-fallback.flagd.json'),
    CHAT_DATABASE: join(folder, 'chat.db'),
    CHAT_LAMEDUCK_MS: '0',
    // Streams that a measurement closes are gone at once, also from the next one.
    CHAT_RECONNECT_GRACE_MS: '0',
    ...env,
  })
  return {
    ...service,
    bearer: await bearerOf(ORG),
    bearerOf,
    stop: async () => {
      await service.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function bearerOf(org: string): Promise<string> {
  const token = await new SignJWT({ org_id: org, role: 'admin' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject('bench')
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(SECRET))
  return `Bearer ${token}`
}
