import { SPAN_TABLES } from '../database/fact-pages.js'
import { FOR_PLACE } from '../facts.js'
import { SpanPages } from './span-pages.js'

/** Of the inputs of the machine what `observationOf` reads: a whole one is some kB. */
const OBSERVED = `json_build_object(
  'kind', input ->> 'kind', 'healthy', input -> 'healthy', 'command', input -> 'command',
  'evidence', json_build_object('probe', json_build_object('failures', input #> '{evidence,probe,failures}')),
  'guardrails', json_build_object('probeFailures', input #> '{guardrails,probeFailures}'))`
/** entries of one page: some ms, for each is parsed */
const OBSERVED_PAGE = 200

const { result, sessionId, agentId } = FOR_PLACE

/** What reports and replays read of each table. */
export const SPANS = {
  comparisons: new SpanPages(SPAN_TABLES.comparisons),
  pairs: new SpanPages({
    ...SPAN_TABLES.pairs,
    facts: 'json_build_array(at, org_id, agent_id, facts)',
  }),
  executions: new SpanPages(SPAN_TABLES.executions),
  executedFor: new SpanPages({
    ...SPAN_TABLES.executedFor,
    facts: `json_build_array(org_id, facts -> ${sessionId}, facts -> ${agentId}, facts -> ${result})`,
  }),
  judged: new SpanPages({
    ...SPAN_TABLES.judged,
    facts: 'json_build_array(at, org_id, facts)',
  }),
  observations: new SpanPages({
    ...SPAN_TABLES.observations,
    facts: `json_build_array(at, ${OBSERVED})`,
    size: OBSERVED_PAGE,
  }),
  drops: new SpanPages({
    ...SPAN_TABLES.drops,
    facts: 'json_build_array(reason, turns, kind)',
  }),
} as const
