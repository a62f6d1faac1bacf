import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { saidBy } from '../../core/bilingual.js'
import { withSecretFiles } from '../../core/files/secret-files.js'
import { openPostgres, type PostgresDatabase } from '../../core/postgres/postgres.js'
import { faultText, isStorageFault } from '../../core/postgres/postgres-errors.js'
import { isPostgresUrl, postgresAddress, shownUrl } from '../../core/postgres/postgres-url.js'
import { SqliteOpenError } from '../../core/sqlite/sqlite-errors.js'
import { MOVE_SCHEMA, type MovedReport, move, TargetNotEmpty } from '../../migrate/move.js'
import { openFile, POSTGRES_SCHEMAS } from '../../migrate/schemas.js'
import { withEnvFile } from '../command/env-file.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import { CommandError, Interrupted } from '../text/command-error.js'

const LIMITS = { poolSize: 2, timeoutMs: 30_000 }
const BAR = 20

export const migrateCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .option('--from <file>', t('the SQLite file (data/chat.db)', 'SQLite 文件（data/chat.db）'))
      .option('--to <url>', t('postgres://… (CHAT_DATABASE)', 'postgres://…（CHAT_DATABASE）')),
  examples: [
    'migrate --from data/chat.db',
    'migrate --from data/chat.db --to postgres://chat@db.example/chat',
  ],
  exits: {
    en: 'Exit code: 0 both sides are the same; 1 they are not, or a side cannot be used; 2 wrong usage; 130 ended by Ctrl-C.',
    'zh-CN':
      '退出码（Exit code: 0 / 1 / 2 / 130）：0 两侧一致；1 不一致或某一侧无法使用；2 用法错误；130 被 Ctrl-C 中断。',
  },
  remote: false,
  async run(invocation) {
    const { json, print, printJson, t } = invocation
    const from = resolve(invocation.given.text('from') ?? 'data/chat.db')
    const to = targetOf(invocation)
    if (!existsSync(from)) throw new CommandError(t(`There is no file ${from}`, `没有文件 ${from}`), 2)
    const tables = await moved(invocation, from, to)
    const same = tables.every((table) => table.same)
    if (json) printJson({ same, tables })
    else {
      for (const table of tables) print(`${table.same ? '✓' : '✗'} ${table.table}: ${table.rows}\n`)
      print(
        same
          ? t(
              `Both sides are the same. Start the service with CHAT_DATABASE set to ${shownUrl(to)}\n`,
              `两侧一致。请将 CHAT_DATABASE 设为 ${shownUrl(to)} 后启动服务\n`,
            )
          : t(
              'The sides are not the same. Stop every service that writes to either, and run this again\n',
              '两侧不一致。请停止所有写入任一侧的服务后重新运行\n',
            ),
      )
    }
    return same ? 0 : 1
  },
}

function targetOf({ given, env, t }: Invocation): string {
  const named = given.text('to')
  const to = named ?? withSecretFiles(withEnvFile(env)).env.CHAT_DATABASE ?? ''
  if (!isPostgresUrl(to))
    throw new CommandError(
      t(
        'Give the target as --to postgres://user@host:5432/database, or in CHAT_DATABASE',
        '请指定目标：--to postgres://user@host:5432/database，或设置 CHAT_DATABASE',
      ),
      2,
    )
  try {
    postgresAddress(to)
    return to
  } catch (thrown) {
    const { en, 'zh-CN': zh } = saidBy(thrown)
    throw new CommandError(`${named === undefined ? 'CHAT_DATABASE' : '--to'} ${t(en, zh)}`, 2)
  }
}

async function moved(invocation: Invocation, from: string, to: string): Promise<MovedReport[]> {
  const { t, clock } = invocation
  const open: { close(): unknown }[] = []
  try {
    const file = openFile(from)
    open.push(file)
    const postgres = openPostgres(to, { clock, limits: LIMITS })
    const rooms: PostgresDatabase[] = POSTGRES_SCHEMAS.map((schema) => postgres.open(schema))
    const database = postgres.open(MOVE_SCHEMA)
    open.push(...rooms, database)
    const fault = await postgres.check()
    if (fault !== undefined) throw new CommandError(fault, 1)
    return await move({
      source: from,
      file,
      database,
      wall: () => clock.wall(),
      signal: invocation.interrupted(),
      onProgress: progressOf(invocation),
    })
  } catch (thrown) {
    throw told(thrown, invocation, t)
  } finally {
    for (const one of open) await one.close()
  }
}

function told(thrown: unknown, { interrupted }: Invocation, t: Invocation['t']): unknown {
  if (interrupted().aborted) return new Interrupted()
  if (thrown instanceof TargetNotEmpty)
    return new CommandError(
      t(
        `The table ${thrown.message} of the target has rows of another origin. Take an empty database`,
        `目标表 ${thrown.message} 中已有其他来源的数据。请使用空数据库`,
      ),
      1,
    )
  if (thrown instanceof SqliteOpenError) return new CommandError(thrown.message, 1)
  if (isStorageFault(thrown)) return new CommandError(faultText(thrown), 1)
  return thrown
}

/** A bar on a screen, on standard error so that a pipe gets the result alone. */
function progressOf({ output }: Invocation): (table: string, moved: number, all: number) => void {
  if (output.columns === undefined) return () => undefined
  return (table, moved, all) => {
    const share = all === 0 ? 1 : Math.min(moved / all, 1)
    const full = Math.round(share * BAR)
    const bar = `${'█'.repeat(full)}${'░'.repeat(BAR - full)}`
    output.err(`\r\u001b[K${bar} ${Math.round(100 * share)}% ${table}${moved >= all ? '\n' : ''}`)
  }
}
