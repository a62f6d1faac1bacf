import { z } from 'zod'
import { historyQuerySchema } from '../../protocol/fallback.js'
import {
  rolloutCommandSchema,
  rolloutEntrySchema,
  rolloutRequestSchema,
  rolloutViewSchema,
} from '../../protocol/rollout.js'
import { API, EXAMPLE_ROLLOUT, EXAMPLE_ROLLOUT_CHANGE } from './example-values.js'
import { PAGE } from './fallback-operations.js'
import type { Answer, Operation } from './operation.js'

const view = (description: string): Answer => ({
  status: 200,
  kind: 'data',
  description,
  data: rolloutViewSchema,
  example: EXAMPLE_ROLLOUT,
})

const COMMAND_BODY = {
  schema: rolloutCommandSchema,
  required: false,
  examples: { because: { reason: 'The runtime is being updated' }, plain: {} },
}

export const ROLLOUT_OPERATIONS: readonly Operation[] = [
  {
    id: 'getRollout',
    method: 'get',
    path: `${API}/runtime/rollout`,
    tag: 'rollout',
    role: 'operator',
    summary: 'State of the guarded rollout',
    headers: ['Accept-Language'],
    answers: [view('The rollout as this replica sees it.')],
  },
  {
    id: 'startRollout',
    method: 'post',
    path: `${API}/runtime/rollout`,
    tag: 'rollout',
    role: 'operator',
    summary: 'Start a guarded rollout',
    description:
      'The service raises the share of sessions on the runtime stage by stage while the stage is healthy, and goes back on a breach. It has a say only where `chat-execution-mode` gives the direct LLM by default.',
    headers: ['Accept-Language'],
    body: {
      schema: rolloutRequestSchema,
      required: true,
      examples: {
        everybody: { stages: [1, 5, 25, 100], everyMinutes: 30 },
        some: { stages: [10, 100], everyMinutes: 10, orgIds: ['acme'], reason: 'Pilot' },
      },
    },
    answers: [view('The rollout afterwards, at its first stage.')],
    problems: [
      'rollout_running',
      'rollout_default_runtime',
      'rollout_targeting',
      'rollout_not_written',
      'draining',
    ],
  },
  {
    id: 'pauseRollout',
    method: 'post',
    path: `${API}/runtime/rollout/pause`,
    tag: 'rollout',
    role: 'operator',
    summary: 'Pause the rollout; the share stays',
    headers: ['Accept-Language'],
    body: COMMAND_BODY,
    answers: [view('The rollout afterwards.')],
    problems: ['rollout_not_running', 'draining'],
  },
  {
    id: 'resumeRollout',
    method: 'post',
    path: `${API}/runtime/rollout/resume`,
    tag: 'rollout',
    role: 'operator',
    summary: 'Go on with a paused rollout; its stage starts from the beginning',
    headers: ['Accept-Language'],
    body: COMMAND_BODY,
    answers: [view('The rollout afterwards.')],
    problems: ['rollout_not_paused', 'rollout_not_written', 'draining'],
  },
  {
    id: 'abortRollout',
    method: 'post',
    path: `${API}/runtime/rollout/abort`,
    tag: 'rollout',
    role: 'operator',
    summary: 'End the rollout; the share goes to 0',
    headers: ['Accept-Language'],
    body: COMMAND_BODY,
    answers: [view('The rollout afterwards.')],
    problems: ['rollout_none', 'draining'],
  },
  {
    id: 'listRolloutChanges',
    method: 'get',
    path: `${API}/runtime/rollout/history`,
    tag: 'rollout',
    role: 'operator',
    summary: 'Changes of rollouts, newest first',
    query: historyQuerySchema,
    parameters: PAGE,
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'One page; fewer entries than `limit` where it is the last.',
        data: z.array(rolloutEntrySchema),
        example: [{ id: 12, ...EXAMPLE_ROLLOUT_CHANGE }],
      },
    ],
    problems: ['journal_unavailable'],
  },
]
