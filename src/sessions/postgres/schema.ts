import type { PostgresSchema } from '../../core/postgres/migrations.js'

/**
 * As in SQLite (../schema.ts), with two differences. `turns.message_id` is unique: where the answer to a write was lost, the turn is written
 * once more and must not be there twice. `running` is written at each renewal, so its pages keep room for new versions of a row.
 */
export const SESSIONS_SCHEMA: PostgresSchema = {
  room: 'sessions',
  migrations: [
    `
    CREATE TABLE sessions (
      id text COLLATE "C" PRIMARY KEY,
      org text NOT NULL,
      user_id text NOT NULL,
      agent text NOT NULL,
      created bigint NOT NULL
    );
    CREATE INDEX sessions_of_user ON sessions (org, user_id, created, id);
    CREATE TABLE turns (
      seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      message_id text NOT NULL UNIQUE,
      session text NOT NULL,
      started bigint NOT NULL,
      ended bigint,
      status text,
      mode text,
      finish text,
      message_size int NOT NULL,
      size int NOT NULL DEFAULT 0,
      message text NOT NULL,
      text text NOT NULL DEFAULT '',
      trace text
    ) WITH (fillfactor = 85);
    CREATE INDEX turns_of_session ON turns (session, seq);
    CREATE TABLE running (
      session text PRIMARY KEY,
      message_id text NOT NULL,
      replica text NOT NULL,
      lease_until bigint NOT NULL,
      stop_requested boolean NOT NULL DEFAULT false,
      releasing boolean NOT NULL DEFAULT false
    ) WITH (fillfactor = 50);
    CREATE INDEX stop_marks ON running (replica) WHERE stop_requested;
    `,
  ],
}
