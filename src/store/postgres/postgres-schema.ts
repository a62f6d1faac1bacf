import type { Pool } from 'pg'

/** The channel of NOTIFY; its payload is the document's name. */
export const CHANNEL = 'flag_documents'

const IS_THERE = `SELECT 1 FROM pg_trigger
  WHERE tgrelid = to_regclass('flag_documents') AND tgname = 'flag_documents_told'`

/**
 * One row a document. The triggers count revisions and tell listeners within the transaction of each change, so edits by
 * hand (psql) are told as well. Names without a schema: the search path of the URL decides.
 */
const CREATE = `
CREATE TABLE IF NOT EXISTS flag_documents (
  name text PRIMARY KEY,
  content text NOT NULL,
  revision bigint NOT NULL DEFAULT 1,
  changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS flag_documents_aside (
  name text NOT NULL,
  kept_as text NOT NULL,
  content text NOT NULL,
  kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (name, kept_as)
);
CREATE OR REPLACE FUNCTION flag_documents_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.revision := OLD.revision + 1;
  NEW.changed_at := now();
  RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION flag_documents_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    PERFORM pg_notify('${CHANNEL}', OLD.name);
  ELSE
    PERFORM pg_notify('${CHANNEL}', NEW.name);
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS flag_documents_counted ON flag_documents;
CREATE TRIGGER flag_documents_counted BEFORE UPDATE ON flag_documents
  FOR EACH ROW EXECUTE FUNCTION flag_documents_count();
DROP TRIGGER IF EXISTS flag_documents_told ON flag_documents;
CREATE TRIGGER flag_documents_told AFTER INSERT OR UPDATE OR DELETE ON flag_documents
  FOR EACH ROW EXECUTE FUNCTION flag_documents_tell();
`

/** any number, the same in every replica: one of them creates the tables */
const LOCK_KEY = 7_315_402_911

/** Creates the tables unless they are there: a user that may only read and write them is enough afterwards. */
export async function ensureSchema(pool: Pool): Promise<void> {
  if (await isThere(pool)) return
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK_KEY])
    if (!(await isThere(client))) await client.query(CREATE)
    await client.query('COMMIT')
    client.release()
  } catch (thrown) {
    // The connection goes, and the transaction with it.
    client.release(true)
    throw thrown
  }
}

async function isThere(pool: Pick<Pool, 'query'>): Promise<boolean> {
  return (await pool.query(IS_THERE)).rowCount === 1
}
