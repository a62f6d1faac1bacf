import { accessSync, closeSync, constants, existsSync, openSync, readSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { bounded } from '../../core/bounded.js'
import { errorText } from '../../core/errors.js'
import { isPostgresUrl } from '../../core/postgres/postgres-url.js'
import type { RedisConnection } from '../../core/redis/redis-link.js'
import { parseRedisUrl, type RedisAddress } from '../../core/redis/redis-url.js'
import type { Environment, Invocation } from '../command/invocation.js'
import { causeText } from '../text/cause-text.js'
import { printable } from '../text/table.js'
import { checkPostgres } from './doctor-postgres.js'
import type { Finding } from './finding.js'

const SQLITE_HEAD = 'SQLite format 3\0'
const LEAST_FREE_BYTES = 100 * 1024 * 1024

/** Where the conversations are: the file or the server. */
export async function checkDatabase(env: Environment, invocation: Invocation): Promise<Finding[]> {
  const database = env.CHAT_DATABASE || 'data/chat.db'
  return isPostgresUrl(database)
    ? [await checkPostgres(database, invocation)]
    : checkFile(database, invocation)
}

/** Whether it is a SQLite file, may be written, and has room. */
function checkFile(file: string, { t }: Invocation): Finding[] {
  const check = t('database', '数据库')
  if (file === ':memory:')
    return [
      {
        check,
        result: 'warning',
        text: t('in memory: conversations are lost at the end', '仅在内存中：进程结束后对话丢失'),
        advice: t('Set CHAT_DATABASE to a file', '请将 CHAT_DATABASE 设为文件'),
      },
    ]
  const advice = t(
    'Give the service a directory that it may write, on a local disk with room',
    '请提供服务可写、空间充足的本地磁盘目录',
  )
  try {
    // The service makes the directory itself.
    const directory = nearestThere(dirname(file))
    accessSync(directory, constants.W_OK)
    const { bavail, bsize } = statfsSync(directory)
    const free = `${Math.round((bavail * bsize) / 1024 / 1024)} MiB`
    if (existsSync(file)) {
      accessSync(file, constants.R_OK | constants.W_OK)
      const head = headOf(file)
      if (head !== '' && head !== SQLITE_HEAD)
        return [
          {
            check,
            result: 'fault',
            text: t(`${file} is no SQLite file`, `${file} 不是 SQLite 文件`),
            advice: t('Move it away, or correct CHAT_DATABASE', '请移走该文件，或修正 CHAT_DATABASE'),
          },
        ]
    }
    if (bavail * bsize < LEAST_FREE_BYTES)
      return [
        { check, result: 'warning', text: t(`${file}: only ${free} free`, `${file}：仅剩 ${free}`), advice },
      ]
    return [{ check, result: 'ok', text: t(`${file}, ${free} free`, `${file}，剩余 ${free}`) }]
  } catch (thrown) {
    return [{ check, result: 'fault', text: `${file}: ${causeText(thrown, t)}`, advice }]
  }
}

function nearestThere(directory: string): string {
  return existsSync(directory) || dirname(directory) === directory
    ? directory
    : nearestThere(dirname(directory))
}

function headOf(file: string): string {
  const descriptor = openSync(file, 'r')
  try {
    const head = Buffer.alloc(SQLITE_HEAD.length)
    return head.toString('latin1', 0, readSync(descriptor, head, 0, head.length, 0))
  } finally {
    closeSync(descriptor)
  }
}

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
