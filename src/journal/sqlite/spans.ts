import type { SqliteDatabase } from '../../core/sqlite/sqlite.js'
import { type FactKind, SPAN_TABLES } from '../database/fact-pages.js'
import { FOR_PLACE } from '../facts.js'
import { SpanPages } from './span-pages.js'

/** Of the inputs of the machine what `observationOf` reads: a whole one is some kB. */
const OBSERVED = `CASE WHEN NOT json_valid(input) THEN NULL ELSE json_object(
  'kind', input ->> 'kind', 'healthy', json(input -> 'healthy'), 'command', json(input -> 'command'),
  'evidence', json_object('probe', json_object('failures', input ->> '$.evidence.probe.failures')),
  'guardrails', json_object('probeFailures', input ->> '$.guardrails.probeFailures')) END`
/** entries of one page: some ms, for each is parsed */
const OBSERVED_PAGE = 100

const { result, sessionId, agentId } = FOR_PLACE

/** What reports and replays read of each table. */
export const spansOf = (database: SqliteDatabase): Readonly<Record<FactKind, SpanPages>> => ({
  comparisons: new SpanPages(database, SPAN_TABLES.comparisons),
  pairs: new SpanPages(database, {
    ...SPAN_TABLES.pairs,
    facts: 'json_array(at, org_id, agent_id, json(facts))',
  }),
  executions: new SpanPages(database, SPAN_TABLES.executions),
  executedFor: new SpanPages(database, {
    ...SPAN_TABLES.executedFor,
    facts: `json_array(org_id, json_extract(facts, '$[${sessionId}]'), json_extract(facts, '$[${agentId}]'), json_extract(facts, '$[${result}]'))`,
  }),
  judged: new SpanPages(database, {
    ...SPAN_TABLES.judged,
    facts: 'json_array(at, org_id, json(facts))',
  }),
  observations: new SpanPages(database, {
    ...SPAN_TABLES.observations,
    facts: `json_array(at, ${OBSERVED})`,
    size: OBSERVED_PAGE,
  }),
  drops: new SpanPages(database, {
    ...SPAN_TABLES.drops,
    facts: 'json_array(reason, turns, kind)',
  }),
})
