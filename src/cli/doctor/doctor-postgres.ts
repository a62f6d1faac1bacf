import { faultText } from '../../core/postgres/postgres-errors.js'
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
    const { server, isReadOnly, rooms } = await serverReport(url, POSTGRES_SCHEMAS)
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

/** `sessions 1, journal 1 of 2`: the version there is, and the one this service has. */
const told = (rooms: readonly RoomVersion[]): string =>
  rooms
    .map(({ room, version, known }) => `${room} ${version}${version === known ? '' : ` of ${known}`}`)
    .join(', ')
