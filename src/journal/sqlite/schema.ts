import type { SqliteSchema } from '../../core/sqlite/sqlite.js'

/**
 * Instants are wall ms. Ids rise with time over all replicas and are never given twice (AUTOINCREMENT), and without
 * gaps, so that the newest n are those above `max(id) - n`. JSON texts: `evidence`, `guardrails`, `input`, `changes`, `record`.
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
    // `facts` is a JSON array (facts.ts): a report reads those of a thousand rows as one text.
    `
    ALTER TABLE transitions ADD COLUMN adopted INTEGER;
    CREATE INDEX transitions_of_change ON transitions (revision, replica, at);
    CREATE TABLE comparisons (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      control_mode TEXT NOT NULL,
      org_id TEXT NOT NULL,
      agent_id TEXT NOT NULL,
      replica TEXT NOT NULL,
      facts TEXT NOT NULL CHECK (json_valid(facts))
    ) STRICT;
    CREATE INDEX comparisons_of_span ON comparisons (control_mode, at);
    CREATE TABLE contents (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      control_mode TEXT NOT NULL,
      org_id TEXT NOT NULL,
      agent_id TEXT NOT NULL,
      kind TEXT NOT NULL,
      text_similarity REAL,
      control TEXT NOT NULL,
      candidate TEXT NOT NULL
    ) STRICT;
    CREATE INDEX contents_of_span ON contents (control_mode, at, org_id, agent_id);
    CREATE TABLE executions (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      org_id TEXT NOT NULL,
      facts TEXT NOT NULL CHECK (json_valid(facts))
    ) STRICT;
    CREATE INDEX executions_of_span ON executions (at);
    `,
    // Of each minute and replica a row for each mode, org, agent and reason; without org and agent: those of further ones.
    `
    CREATE TABLE drops (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      control_mode TEXT NOT NULL,
      org_id TEXT,
      agent_id TEXT,
      replica TEXT NOT NULL,
      reason TEXT NOT NULL,
      turns INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX drops_of_span ON drops (control_mode, at);
    `,
    // Without a scope: everybody. `scope_ids` is a JSON array.
    `
    ALTER TABLE transitions ADD COLUMN scope TEXT;
    ALTER TABLE transitions ADD COLUMN scope_ids TEXT;
    `,
    `
    ALTER TABLE drops ADD COLUMN kind TEXT;
    `,
    // `owner`: the start of a process that sends it; `stamp`: another value with each sign of life.
    `
    CREATE TABLE notifications (
      id TEXT PRIMARY KEY,
      at INTEGER NOT NULL,
      owner TEXT,
      stamp INTEGER NOT NULL,
      transition_values TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    `,
    // Edits of the operators' file by the API. Contents are SHA-256 of the file.
    `
    CREATE TABLE edits (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      replica TEXT NOT NULL,
      user TEXT NOT NULL,
      org_id TEXT NOT NULL,
      changes TEXT NOT NULL,
      from_content TEXT NOT NULL,
      to_content TEXT NOT NULL
    ) STRICT;
    `,
    // For a replay, which reads a span of all runs.
    'CREATE INDEX samples_of_span ON samples (at);',
    // Changes of the guarded rollout; `record` is a JSON text.
    `
    CREATE TABLE rollout_changes (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      record TEXT NOT NULL
    ) STRICT;
    `,
    // Whose turn it was; NULL in older rows. Looked for by erasures alone, which read the whole table.
    `
    ALTER TABLE comparisons ADD COLUMN user_id TEXT;
    ALTER TABLE contents ADD COLUMN user_id TEXT;
    `,
  ],
}
