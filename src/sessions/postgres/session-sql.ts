import { statement } from '../../core/postgres/statement.js'
import { TITLE_CHARACTERS } from '../session-store.js'
import { MAX_HISTORY_TURNS } from '../trim-history.js'

/** The rules of newestWithin (../trim-history.ts); one JSON text of pairs. */
const history = (session: string, budget: string): string => `
  WITH fitting AS (
    SELECT seq, size FROM turns WHERE session = ${session} AND size BETWEEN 1 AND ${budget}
    ORDER BY seq DESC LIMIT ${MAX_HISTORY_TURNS}
  ), summed AS (
    SELECT seq, sum(size) OVER (ORDER BY seq DESC) AS total FROM fitting
  )
  SELECT coalesce(json_agg(json_build_array(message, text) ORDER BY seq), '[]') FROM turns
  WHERE session = ${session} AND size BETWEEN 1 AND ${budget}
    AND seq >= (SELECT min(seq) FROM summed WHERE total <= ${budget})`

/**
 * What names one run of the server: another server, or the same after a start or a crash, has another. After the crash of one of its
 * processes it goes on without the last transactions, with the same start time; it sets its statistics back then, and its last checkpoint
 * is another one. To read statistics may take long before version 15; checkpoints are frequent, and each of them is taken for a crash.
 * A subquery of its own, so that a statement evaluates it once and not for each row.
 */
const SERVER = `(SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
  CASE WHEN current_setting('server_version_num')::int >= 150000 THEN extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time())::text
  ELSE (SELECT redo_lsn::text FROM pg_control_checkpoint()) END))`

/**
 * A reservation with the version of its row (snapshots.ts): `xmin` is the transaction that wrote it. A subtransaction would not do, so nothing
 * writes to `running` within a savepoint.
 */
const RESERVATION = `running.session, running.message_id, running.lease_until, running.releasing, running.stop_requested,
  ${SERVER} AS server, running.xmin::text AS transaction`

/** $1 id, $2 org, $3 user: locked against an erasure at the same time, and for nothing else. */
const OWNED = 'SELECT id, agent FROM sessions WHERE id = $1 AND org = $2 AND user_id = $3 FOR KEY SHARE'

/** Nothing was said since, and no turn holds it. */
const IDLE = (before: string): string => `created < ${before}
  AND coalesce((SELECT coalesce(ended, started) FROM turns WHERE session = id ORDER BY seq DESC LIMIT 1), 0) < ${before}
  AND NOT EXISTS (SELECT 1 FROM running WHERE session = id AND lease_until >= ${before})`

/**
 * The SQL of the session store. Each call that a turn waits for is one statement, so one way to the server and back.
 * Schema and units: schema.ts.
 */
export const SQL = {
  /** $1 id, $2 org, $3 user, $4 agent, $5 created, $6 message id, $7 replica, $8 reserved until, $9 message, $10 its size */
  create: statement(`
    WITH made AS (INSERT INTO sessions (id, org, user_id, agent, created) VALUES ($1, $2, $3, $4, $5)),
    reserved AS (INSERT INTO running (session, message_id, replica, lease_until) VALUES ($1, $6, $7, $8))
    INSERT INTO turns (message_id, session, message, message_size, started) VALUES ($6, $1, $9, $10, $5) RETURNING seq`),
  /**
   * $1 id, $2 org, $3 user, $4 message id, $5 replica, $6 reserved until, $7 message, $8 its size, $9 now, $10 budget.
   * Starts the turn where nobody holds the session. Of a turn that held it as the statement began, the end may be missing in the history.
   */
  begin: statement(`
    WITH owned AS (${OWNED}),
    held AS (SELECT ${RESERVATION} FROM running WHERE session = $1),
    reserved AS (
      INSERT INTO running (session, message_id, replica, lease_until) SELECT id, $4, $5, $6 FROM owned
      ON CONFLICT (session) DO NOTHING RETURNING session
    ), started AS (
      INSERT INTO turns (message_id, session, message, message_size, started)
      SELECT $4, session, $7, $8, $9 FROM reserved RETURNING seq
    )
    SELECT owned.agent, (SELECT seq FROM started), CASE WHEN EXISTS (SELECT 1 FROM started) THEN (${history('$1', '$10')}) END,
      held.*
    FROM owned LEFT JOIN held ON true`),
  /**
   * $1 id, $2 org, $3 user, $4 message id, $5 replica, $6 reserved until, $7 message, $8 its size, $9 now, $10 and $11 the message id and stamp
   * of the reservation that is over. Nothing where that has changed.
   */
  takeOver: statement(`
    WITH owned AS (${OWNED}),
    reserved AS (
      UPDATE running SET message_id = $4, replica = $5, lease_until = $6, stop_requested = false, releasing = false
      FROM owned WHERE session = owned.id AND message_id = $10 AND lease_until = $11 RETURNING session
    )
    INSERT INTO turns (message_id, session, message, message_size, started)
    SELECT $4, session, $7, $8, $9 FROM reserved RETURNING seq`),
  history: statement(history('$1', '$2')),
  /** What a turn would begin with, of one instant. $1 id, $2 org, $3 user, $4 budget. */
  peek: statement(`
    SELECT agent, (${history('$1', '$4')}), ${RESERVATION}
    FROM sessions LEFT JOIN running ON running.session = id WHERE id = $1 AND org = $2 AND user_id = $3`),
  owned: statement(`
    SELECT agent, created, ${RESERVATION}
    FROM sessions LEFT JOIN running ON running.session = id WHERE id = $1 AND org = $2 AND user_id = $3`),
  lockOwned: statement(OWNED),
  owner: statement('SELECT org, user_id FROM sessions WHERE id = $1'),
  running: statement(`SELECT ${RESERVATION} FROM running WHERE session = $1`),
  /** Nothing on a standby: there the list of those that have not ended is empty. */
  snapshot: statement(`SELECT ${SERVER}, pg_current_snapshot()::text WHERE NOT pg_is_in_recovery()`),
  /** Arrays of $1 sessions, $2 message ids, $3 seqs, $4 texts, $5 their sizes; $6 reserved until: another value at each renewal. */
  renew: statement(`
    WITH asked AS (
      SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::int[]) AS asked (session, message_id, seq, text, size)
    ), renewed AS (
      UPDATE running SET lease_until = greatest(lease_until + 1, $6) FROM asked
      WHERE running.session = asked.session AND running.message_id = asked.message_id AND NOT releasing
      RETURNING running.message_id, lease_until, stop_requested
    ), kept AS (
      UPDATE turns SET text = asked.text, size = CASE WHEN asked.size = 0 THEN 0 ELSE message_size + asked.size END
      FROM asked JOIN renewed ON renewed.message_id = asked.message_id
      WHERE turns.seq = asked.seq AND turns.message_id = asked.message_id AND status IS NULL
    )
    SELECT message_id, lease_until, stop_requested FROM renewed`),
  stopMarks: statement('SELECT message_id FROM running WHERE stop_requested AND replica = $1'),
  /** Once: another mark would be another version of the row, and a replica that is gone would seem to live. */
  markStop: statement(
    'UPDATE running SET stop_requested = true WHERE session = $1 AND message_id = $2 AND NOT stop_requested',
  ),
  /** $1 text, $2 its size, $3 seq, $4 message id */
  keepText: statement(`
    UPDATE turns SET text = $1, size = CASE WHEN $2::int = 0 THEN 0 ELSE message_size + $2 END
    WHERE seq = $3 AND message_id = $4 AND status IS NULL`),
  /** As keepText, and $5 status, $6 mode, $7 finish, $8 ended, $9 trace */
  end: statement(`
    UPDATE turns SET text = $1, size = CASE WHEN $2::int = 0 THEN 0 ELSE message_size + $2 END,
      status = $5, mode = $6, finish = $7, ended = $8, trace = $9
    WHERE seq = $3 AND message_id = $4 AND status IS NULL`),
  /** As `end`, and $10 session: it is free. */
  endAndRelease: statement(`
    WITH ended AS (
      UPDATE turns SET text = $1, size = CASE WHEN $2::int = 0 THEN 0 ELSE message_size + $2 END,
        status = $5, mode = $6, finish = $7, ended = $8, trace = $9
      WHERE seq = $3 AND message_id = $4 AND status IS NULL
    )
    DELETE FROM running WHERE session = $10 AND message_id = $4`),
  /** As `end`, and $10 session, $11 reserved until: it is being released. */
  endAndHold: statement(`
    WITH ended AS (
      UPDATE turns SET text = $1, size = CASE WHEN $2::int = 0 THEN 0 ELSE message_size + $2 END,
        status = $5, mode = $6, finish = $7, ended = $8, trace = $9
      WHERE seq = $3 AND message_id = $4 AND status IS NULL
    )
    UPDATE running SET releasing = true, lease_until = greatest(lease_until + 1, $11)
    WHERE session = $10 AND message_id = $4 RETURNING lease_until, stop_requested`),
  release: statement('DELETE FROM running WHERE session = $1 AND message_id = $2'),
  releaseUnchanged: statement(
    'DELETE FROM running WHERE session = $1 AND message_id = $2 AND lease_until = $3',
  ),
  insertSession: statement(
    'INSERT INTO sessions (id, org, user_id, agent, created) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING',
  ),
  insertTurn: statement(`
    INSERT INTO turns (message_id, session, message, message_size, started) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (message_id) DO NOTHING RETURNING seq`),
  turnOf: statement('SELECT seq FROM turns WHERE message_id = $1 AND session = $2'),
  reserve: statement(`
    INSERT INTO running (session, message_id, replica, lease_until) VALUES ($1, $2, $3, $4)
    ON CONFLICT (session) DO UPDATE SET message_id = $2, replica = $3, lease_until = $4, stop_requested = false, releasing = false`),
  /** The session with its reservation, and a page of its turns, all of one instant. $1 id, $2 org, $3 user, $4 after, $5 most. */
  read: statement(`
    SELECT agent, created, ${RESERVATION},
      page.seq, page.message_id, page.message, page.text, page.started, page.ended, page.status, page.mode, page.finish
    FROM sessions LEFT JOIN running ON running.session = id
    LEFT JOIN LATERAL (SELECT * FROM turns WHERE turns.session = id AND seq > $4 ORDER BY seq LIMIT $5) page ON true
    WHERE id = $1 AND org = $2 AND user_id = $3 ORDER BY page.seq`),
  /** $1 org, $2 user, $3 and $4 the place before, $5 most */
  list: statement(`
    SELECT id, agent, created,
      (SELECT coalesce(ended, started) FROM turns WHERE session = id ORDER BY seq DESC LIMIT 1),
      (SELECT count(*) FROM turns WHERE session = id),
      (SELECT substr(message, 1, ${TITLE_CHARACTERS}) FROM turns WHERE session = id ORDER BY seq LIMIT 1)
    FROM sessions WHERE org = $1 AND user_id = $2 AND (created, id) < ($3::bigint, $4::text)
    ORDER BY created DESC, id DESC LIMIT $5`),
  lockForErasure: statement('SELECT 1 FROM sessions WHERE id = $1 AND org = $2 AND user_id = $3 FOR UPDATE'),
  lock: statement('SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE'),
  deleteTurns: statement(
    'DELETE FROM turns WHERE seq IN (SELECT seq FROM turns WHERE session = $1 ORDER BY seq LIMIT $2)',
  ),
  deleteSession: statement(`
    WITH held AS (DELETE FROM running WHERE session = $1) DELETE FROM sessions WHERE id = $1`),
  scan: statement('SELECT id, org, user_id FROM sessions WHERE id > $1 ORDER BY id LIMIT $2'),
  /** $1 after, $2 most, $3 before */
  idle: statement(`SELECT id, ${IDLE('$3')} FROM sessions WHERE id > $1 ORDER BY id LIMIT $2`),
  /** $1 id, $2 before */
  isIdle: statement(`SELECT ${IDLE('$2')} FROM sessions WHERE id = $1`),
  newestTurnAt: statement('SELECT coalesce(ended, started) FROM turns ORDER BY seq DESC LIMIT 1'),
  trace: statement('SELECT trace FROM turns WHERE session = $1 AND message_id = $2'),
  /** Writes something, and changes nothing. */
  touch: statement("UPDATE schema_version SET version = version WHERE room = 'sessions'"),
} as const
