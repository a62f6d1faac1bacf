import { errorText } from '../../core/errors.js'
import {
  faultText,
  POOLER_ADVICE,
  type PoolerFault,
  poolerFault,
} from '../../core/postgres/postgres-errors.js'
import { shownUrl } from '../../core/postgres/postgres-url.js'
import { type RoomVersion, serverReport } from '../../core/postgres/server-report.js'
import { POSTGRES_SCHEMAS } from '../../migrate/schemas.js'
import type { Invocation } from '../command/invocation.js'
import type { Finding } from './finding.js'

/** The server of conversations: whether it answers and takes writes, and the versions of its tables. Changes nothing. */
export async function checkPostgres(url: string, { t }: Invocation): Promise<Finding> {
  const check = t('database', '数据库')
  const where = shownUrl(url)
  try {
    const { server, isReadOnly, hasTimeLimit, rooms } = await serverReport(url, POSTGRES_SCHEMAS)
    const about = `${where}, PostgreSQL ${server}`
    if (isReadOnly)
      return {
        check,
        result: 'fault',
        text: t(`${about}: takes no writes (a standby)`, `${about}：只读（备库）`),
        advice: t(
          'Point CHAT_DATABASE at the primary, or promote it',
          '请将 CHAT_DATABASE 指向主库，或提升备库',
        ),
      }
    const newer = rooms.filter(({ version, known }) => version > known)
    if (newer.length > 0)
      return {
        check,
        result: 'fault',
        text: t(
          `${about}: tables of a newer version: ${told(newer)}`,
          `${about}：表由更新的版本创建：${told(newer)}`,
        ),
        advice: t('Start the version that made them', '请使用创建这些表的版本'),
      }
    if (!hasTimeLimit)
      return {
        check,
        result: 'warning',
        text: t(
          `${about}: takes no time limits from its clients, as behind a pooler`,
          `${about}：不接受客户端设置的时限（例如经过连接池）`,
        ),
        advice: t(
          'Set statement_timeout and lock_timeout of the role (docs/postgres.md): a statement that the service has given up would go on',
          '请为该角色设置 statement_timeout 和 lock_timeout，见 docs/postgres.md：否则服务放弃的语句仍会继续执行',
        ),
      }
    const older = rooms.filter(({ version, known }) => version < known)
    if (older.length > 0)
      return {
        check,
        result: 'ok',
        text: t(
          `${about}; the next start makes or changes the tables: ${told(older)}`,
          `${about}；下次启动时将创建或更新表：${told(older)}`,
        ),
      }
    return {
      check,
      result: 'ok',
      text: t(`${about}, tables: ${told(rooms)}`, `${about}，表版本：${told(rooms)}`),
    }
  } catch (thrown) {
    const pooler = poolerFault(thrown)
    if (pooler !== undefined)
      return {
        check,
        result: 'fault',
        text: `${where}: ${errorText(thrown)}`,
        advice: t(POOLER_ADVICE[pooler], POOLER_ADVICE_ZH[pooler]),
      }
    return {
      check,
      result: 'fault',
      text: `${where}: ${faultText(thrown)}`,
      advice: t(
        'See docs/postgres.md: address, role, password, TLS',
        '请检查地址、角色、密码与 TLS，见 docs/postgres.md',
      ),
    }
  }
}

const POOLER_ADVICE_ZH: Readonly<Record<PoolerFault, string>> = {
  parameters:
    '请在 PgBouncer 的 ignore_startup_parameters 中列出 statement_timeout、lock_timeout 和 idle_in_transaction_session_timeout，见 docs/postgres.md',
  statements:
    '请将 PgBouncer 的 pool_mode 设为 session，或使用 1.21 及以上版本并设置 max_prepared_statements，见 docs/postgres.md',
}

/** `sessions 1, journal 1 of 2`: the version there is, and the one this service has. */
const told = (rooms: readonly RoomVersion[]): string =>
  rooms
    .map(({ room, version, known }) => `${room} ${version}${version === known ? '' : ` of ${known}`}`)
    .join(', ')
