import type { SqliteSchema } from '../../core/sqlite/sqlite.js'

/**
 * Times are wall ms. `turns.seq` orders all turns. A turn's `status`, `mode`, `finish` and `ended` are NULL until its own replica
 * tells the end: before that it is running while `running` has its unexpired reservation, aborted otherwise.
 * `turns.size` is what the turn takes of the history budget (trim-history.ts), 0 without text to see; it stands before the
 * texts, so that choosing the history reads no text that is not sent. `trace` is JSON (protocol/turn-trace.ts), NULL until the end.
 * Each index costs a page a write, and each page of a turn its share of the relay: a turn is found by its `seq`, which
 * its own process remembers, so `message_id` (a new UUID) needs none.
 * `lease_until` is the end of the turn's reservation by the writer's wall clock. Readers only watch it change (../reservation-watch.ts);
 * the column keeps its name and its meaning for processes of earlier versions beside this one.
 */
export const SESSIONS_SCHEMA: SqliteSchema = {
  room: 'sessions',
  migrations: [
    `
    CREATE TABLE sessions (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      user TEXT NOT NULL,
      agent TEXT NOT NULL,
      created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE turns (
      seq INTEGER PRIMARY KEY,
      message_id TEXT NOT NULL,
      session TEXT NOT NULL,
      started INTEGER NOT NULL,
      ended INTEGER,
      status TEXT,
      mode TEXT,
      message_size INTEGER NOT NULL,
      size INTEGER NOT NULL DEFAULT 0,
      message TEXT NOT NULL,
      text TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX turns_of_session ON turns (session);
    CREATE TABLE running (
      session TEXT PRIMARY KEY,
      message_id TEXT NOT NULL,
      replica TEXT NOT NULL,
      lease_until INTEGER NOT NULL,
      stop_requested INTEGER NOT NULL DEFAULT 0,
      releasing INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX stop_marks ON running (replica) WHERE stop_requested = 1;
    `,
    'ALTER TABLE turns ADD COLUMN finish TEXT;',
    // For the list of a user's sessions; written once a session, never by a turn.
    'CREATE INDEX sessions_of_user ON sessions (org, user, created, id);',
    'ALTER TABLE turns ADD COLUMN trace TEXT;',
  ],
}
