import type { PostgresSchema } from '../../core/postgres/migrations.js'

/**
 * As in SQLite (../sqlite/schema.ts), with these differences. Executions and comparisons are partitioned by the day of `at`
 * (partitions.ts); what is of no day near takes `…_other`. Ids may have gaps. `journal_writers` tells which batch of a process came last:
 * one whose answer was lost is not written twice. JSON that is read in parts is `json`, which keeps its text.
 */
export const JOURNAL_SCHEMA: PostgresSchema = {
  room: 'journal',
  migrations: [
    `
    CREATE TABLE journal_writers (writer text PRIMARY KEY, batch bigint NOT NULL, at bigint NOT NULL);
    CREATE TABLE transitions (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at bigint NOT NULL,
      kind text,
      from_state text NOT NULL,
      to_state text NOT NULL,
      manual_from text NOT NULL,
      manual_to text NOT NULL,
      actor text NOT NULL,
      replica text NOT NULL,
      "user" text,
      cause text,
      value double precision,
      threshold double precision,
      reason text,
      trips bigint NOT NULL,
      hold_until bigint,
      recovering_percent double precision,
      revision bigint NOT NULL,
      evidence text,
      guardrails text,
      adopted int,
      scope text,
      scope_ids text
    );
    CREATE INDEX transitions_of_change ON transitions (revision, replica, at);
    CREATE TABLE samples (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at bigint NOT NULL,
      replica text NOT NULL,
      run text NOT NULL,
      seq bigint NOT NULL,
      input json NOT NULL
    );
    CREATE INDEX samples_of_run ON samples (run, seq);
    CREATE INDEX samples_of_span ON samples (at, id);
    CREATE SEQUENCE comparisons_id;
    CREATE TABLE comparisons (
      id bigint NOT NULL DEFAULT nextval('comparisons_id'),
      at bigint NOT NULL,
      control_mode text NOT NULL,
      org_id text NOT NULL,
      user_id text,
      agent_id text NOT NULL,
      replica text NOT NULL,
      facts json NOT NULL,
      PRIMARY KEY (at, id)
    ) PARTITION BY RANGE (at);
    CREATE INDEX comparisons_of_span ON comparisons (control_mode, at, id);
    CREATE TABLE comparisons_other PARTITION OF comparisons DEFAULT;
    CREATE TABLE contents (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at bigint NOT NULL,
      control_mode text NOT NULL,
      user_id text,
      org_id text NOT NULL,
      agent_id text NOT NULL,
      kind text NOT NULL,
      text_similarity double precision,
      control text NOT NULL,
      candidate text NOT NULL
    );
    CREATE INDEX contents_of_span ON contents (control_mode, at, id);
    CREATE SEQUENCE executions_id;
    CREATE TABLE executions (
      id bigint NOT NULL DEFAULT nextval('executions_id'),
      at bigint NOT NULL,
      org_id text NOT NULL,
      facts json NOT NULL,
      PRIMARY KEY (at, id)
    ) PARTITION BY RANGE (at);
    CREATE TABLE executions_other PARTITION OF executions DEFAULT;
    CREATE TABLE drops (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at bigint NOT NULL,
      control_mode text NOT NULL,
      org_id text,
      agent_id text,
      replica text NOT NULL,
      reason text NOT NULL,
      turns bigint NOT NULL,
      kind text
    );
    CREATE INDEX drops_of_span ON drops (control_mode, at, id);
    CREATE INDEX drops_by_age ON drops (at, id);
    CREATE TABLE notifications (
      id text PRIMARY KEY,
      at bigint NOT NULL,
      owner text,
      stamp bigint NOT NULL,
      transition_values text NOT NULL
    );
    CREATE TABLE edits (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at bigint NOT NULL,
      replica text NOT NULL,
      "user" text NOT NULL,
      org_id text NOT NULL,
      changes text NOT NULL,
      from_content text NOT NULL,
      to_content text NOT NULL
    );
    CREATE TABLE rollout_changes (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at bigint NOT NULL,
      record text NOT NULL
    );
    `,
  ],
}
