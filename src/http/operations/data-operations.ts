import {
  eraseAnswerSchema,
  eraseRequestSchema,
  exportQuerySchema,
  exportSchema,
} from '../../protocol/user-data.js'
import { API, AT, EXAMPLE_ORG, EXAMPLE_SESSION_ID } from './example-values.js'
import type { Operation } from './operation.js'

const EXAMPLE_USER = 'user-7'

export const DATA_OPERATIONS: readonly Operation[] = [
  {
    id: 'eraseData',
    method: 'post',
    path: `${API}/runtime/erase`,
    tag: 'data',
    role: 'admin',
    summary: 'Erase what is kept of a user or an organisation',
    description:
      'For good: conversations with their turns and traces, comparisons of shadows and the answers kept with them, numbers of executions. Running turns are stopped first. An admin erases within its own organisation alone. An owner who names a user and no organisation erases that user id in every organisation, where it may belong to different people: add `orgId` for one of them. What running shadows and other replicas are about to keep may stay: call it again after a minute; a call that finds nothing answers zeros.',
    headers: ['Accept-Language'],
    body: {
      schema: eraseRequestSchema,
      required: true,
      examples: {
        userOfOrg: { userId: EXAMPLE_USER, orgId: EXAMPLE_ORG },
        user: { userId: EXAMPLE_USER },
        org: { orgId: 'globex' },
      },
    },
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'How much was erased.',
        data: eraseAnswerSchema,
        example: { sessions: 3, comparisons: 1, contents: 0, executions: 7 },
      },
    ],
    problems: ['other_org', 'store_unavailable', 'journal_unavailable'],
  },
  {
    id: 'exportData',
    method: 'get',
    path: `${API}/runtime/export`,
    tag: 'data',
    role: 'admin',
    summary: 'Export what is kept of a user',
    description:
      'All conversations with the traces of their turns, as one document that is sent while it is read. An admin exports users of its own organisation alone. An owner who names no organisation gets the conversations of that user id in every one: add `orgId` for one of them. If the database fails on the way the connection is cut: an answer that is no whole JSON is not complete.',
    query: exportQuerySchema,
    parameters: {
      userId: { description: 'Id of the user.', example: EXAMPLE_USER },
      orgId: {
        description: 'The organisation alone in which the user is looked for.',
        example: EXAMPLE_ORG,
      },
    },
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'The conversations; none for a user of whom nothing is kept.',
        data: exportSchema,
        example: {
          userId: EXAMPLE_USER,
          exportedAt: AT,
          sessions: [
            {
              sessionId: EXAMPLE_SESSION_ID,
              orgId: EXAMPLE_ORG,
              agentId: 'assistant',
              createdAt: AT,
              updatedAt: AT,
              messages: [{ id: '1-user', role: 'user', content: 'Hi', createdAt: AT }],
              traces: [],
            },
          ],
        },
      },
    ],
    problems: ['other_org', 'too_many_commands', 'store_unavailable'],
  },
]
