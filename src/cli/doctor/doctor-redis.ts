import { bounded } from '../../core/bounded.js'
import { errorText } from '../../core/errors.js'
import type { RedisConnection } from '../../core/redis/redis-link.js'
import { parseRedisUrl, type RedisAddress } from '../../core/redis/redis-url.js'
import type { Environment, Invocation } from '../command/invocation.js'
import { printable } from '../text/table.js'
import type { Finding } from './finding.js'

/** ms; as long as the service waits for a connection, and a call more */
const DEADLINE_MS = 3_000

/** Whether Redis answers, where the replicas share it. A URL of a wrong form is told by the check of the configuration. */
export async function checkRedis(env: Environment, invocation: Invocation): Promise<Finding[]> {
  const address = parseRedisUrl(env.CHAT_REDIS_URL?.trim() ?? '')
  if (address === undefined) return []
  const { t, clock } = invocation
  const where = address.nodes.map(({ host, port }) => `${host}:${port}`).join(',')
  const startedAt = clock.monotonic()
  const why = await faultOf(address, invocation)
  const within = `${Math.round(clock.monotonic() - startedAt)} ms`
  if (why === undefined)
    return [
      {
        check: 'Redis',
        result: 'ok',
        text: t(`${where} answers within ${within}`, `${where} 正常响应，${within}`),
      },
    ]
  return [
    {
      check: 'Redis',
      result: 'fault',
      text: printable(`${where}: ${why}`),
      advice: t(
        'Start Redis, or correct CHAT_REDIS_URL (docs/redis.md); until then each replica works alone',
        '请启动 Redis，或修正 CHAT_REDIS_URL（见 docs/redis.md）；在此之前各副本独立工作',
      ),
    },
  ]
}

async function faultOf(address: RedisAddress, { t, clock }: Invocation): Promise<string | undefined> {
  const { nodeRedis } = await import('../../core/redis/node-redis.js')
  const connection = nodeRedis(address)
  try {
    const answer = await bounded(ping(connection), DEADLINE_MS, clock)
    return answer === 'late'
      ? t(`no answer within ${DEADLINE_MS} ms`, `${DEADLINE_MS} ms 内无响应`)
      : undefined
  } catch (thrown) {
    return errorText(thrown)
  } finally {
    connection.destroy()
  }
}

async function ping(connection: RedisConnection): Promise<void> {
  await connection.connect()
  await connection.send(undefined, ['PING'])
}
