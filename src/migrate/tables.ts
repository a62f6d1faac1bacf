type ColumnType = 'bigint' | 'int' | 'text' | 'double precision' | 'json'

/** A column under its name in SQLite, and its name in PostgreSQL where that is another. */
export interface MovedColumn {
  readonly from: string
  readonly to: string
  readonly type: ColumnType
}

export interface MovedTable {
  readonly name: string
  readonly columns: readonly MovedColumn[]
  /** how many of the columns, from the first on, tell a row from all others; rows are moved in their order */
  readonly key: number
  /** the sequence that gives ids, where there is one */
  readonly sequence?: string
}

const column = (name: string, type: ColumnType, to = name): MovedColumn => ({ from: name, to, type })
const texts = (...names: string[]): MovedColumn[] => names.map((name) => column(name, 'text'))
const bigints = (...names: string[]): MovedColumn[] => names.map((name) => column(name, 'bigint'))
const doubles = (...names: string[]): MovedColumn[] => names.map((name) => column(name, 'double precision'))

/** What is moved. Not the running turns: with the service stopped there are none, and those of a process that was killed read as aborted. */
export const MOVED_TABLES: readonly MovedTable[] = [
  {
    name: 'sessions',
    key: 1,
    columns: [
      ...texts('id', 'org'),
      column('user', 'text', 'user_id'),
      ...texts('agent'),
      ...bigints('created'),
    ],
  },
  {
    name: 'turns',
    key: 1,
    sequence: "pg_get_serial_sequence('turns', 'seq')",
    columns: [
      ...bigints('seq'),
      ...texts('message_id', 'session'),
      ...bigints('started', 'ended'),
      ...texts('status', 'mode', 'finish'),
      column('message_size', 'int'),
      column('size', 'int'),
      ...texts('message', 'text', 'trace'),
    ],
  },
  {
    name: 'idempotency_keys',
    key: 1,
    columns: [...texts('id', 'body', 'session', 'message_id', 'process'), ...bigints('created')],
  },
  { name: 'org_tokens', key: 2, columns: [...bigints('day'), ...texts('org'), ...bigints('tokens')] },
  { name: 'kept_texts', key: 1, columns: [...texts('name', 'text'), ...bigints('at')] },
  {
    name: 'transitions',
    key: 1,
    sequence: "pg_get_serial_sequence('transitions', 'id')",
    columns: [
      ...bigints('id', 'at'),
      ...texts(
        'kind',
        'from_state',
        'to_state',
        'manual_from',
        'manual_to',
        'actor',
        'replica',
        'user',
        'cause',
      ),
      ...doubles('value', 'threshold'),
      ...texts('reason'),
      ...bigints('trips', 'hold_until'),
      ...doubles('recovering_percent'),
      ...bigints('revision'),
      ...texts('evidence', 'guardrails'),
      column('adopted', 'int'),
      ...texts('scope', 'scope_ids'),
    ],
  },
  {
    name: 'samples',
    key: 1,
    sequence: "pg_get_serial_sequence('samples', 'id')",
    columns: [...bigints('id', 'at'), ...texts('replica', 'run'), ...bigints('seq'), column('input', 'json')],
  },
  {
    name: 'comparisons',
    key: 2,
    sequence: "'comparisons_id'",
    columns: [
      ...bigints('at', 'id'),
      ...texts('control_mode', 'org_id', 'user_id', 'agent_id', 'replica'),
      column('facts', 'json'),
    ],
  },
  {
    name: 'contents',
    key: 1,
    sequence: "pg_get_serial_sequence('contents', 'id')",
    columns: [
      ...bigints('id', 'at'),
      ...texts('control_mode', 'user_id', 'org_id', 'agent_id', 'kind'),
      ...doubles('text_similarity'),
      ...texts('control', 'candidate'),
    ],
  },
  {
    name: 'executions',
    key: 2,
    sequence: "'executions_id'",
    columns: [...bigints('at', 'id'), ...texts('org_id'), column('facts', 'json')],
  },
  {
    name: 'drops',
    key: 1,
    sequence: "pg_get_serial_sequence('drops', 'id')",
    columns: [
      ...bigints('id', 'at'),
      ...texts('control_mode', 'org_id', 'agent_id', 'replica', 'reason'),
      ...bigints('turns'),
      ...texts('kind'),
    ],
  },
  {
    name: 'notifications',
    key: 1,
    columns: [
      ...texts('id'),
      ...bigints('at'),
      ...texts('owner'),
      ...bigints('stamp'),
      ...texts('transition_values'),
    ],
  },
  {
    name: 'edits',
    key: 1,
    sequence: "pg_get_serial_sequence('edits', 'id')",
    columns: [
      ...bigints('id', 'at'),
      ...texts('replica', 'user', 'org_id', 'changes', 'from_content', 'to_content'),
    ],
  },
  {
    name: 'rollout_changes',
    key: 1,
    sequence: "pg_get_serial_sequence('rollout_changes', 'id')",
    columns: [...bigints('id', 'at'), ...texts('record')],
  },
]
