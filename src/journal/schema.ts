import type { SqliteSchema } from '../core/sqlite.js'

/**
 * Instants are wall ms. Ids rise with time over all replicas and are never given twice (AUTOINCREMENT), and without
 * gaps, so that the newest n are those above `max(id) - n`. JSON texts: `evidence`, `guardrails`, `input`.
 */
export const JOURNAL_SCHEMA: SqliteSchema = {
  room: 'journal',
  migrations: [
    `
    CREATE TABLE transitions (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      kind TEXT,
      from_state TEXT NOT NULL,
      to_state TEXT NOT NULL,
      manual_from TEXT NOT NULL,
      manual_to TEXT NOT NULL,
      actor TEXT NOT NULL,
      replica TEXT NOT NULL,
      user TEXT,
      cause TEXT,
      value REAL,
      threshold REAL,
      reason TEXT,
      trips INTEGER NOT NULL,
      hold_until INTEGER,
      recovering_percent REAL,
      revision INTEGER NOT NULL,
      evidence TEXT,
      guardrails TEXT
    ) STRICT;
    CREATE TABLE samples (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      replica TEXT NOT NULL,
      run TEXT NOT NULL,
      seq INTEGER NOT NULL,
      input TEXT NOT NULL
    ) STRICT;
    CREATE INDEX samples_of_run ON samples (run, seq);
    `,
  ],
}
