import { sessionListQuerySchema, sessionListSchema } from '../../protocol/session-list.js'
import { API, AT, EXAMPLE_SESSION_ID } from './example-values.js'
import type { Operation } from './operation.js'

export const SESSION_OPERATIONS: readonly Operation[] = [
  {
    id: 'listSessions',
    method: 'get',
    path: `${API}/chat/sessions`,
    tag: 'chat',
    role: 'member',
    summary: 'Own conversations',
    description:
      'Those of the caller alone, the newest (by their creation) first. While the database takes no writes, those that began meanwhile are missing.',
    query: sessionListQuerySchema,
    parameters: {
      cursor: { description: '`nextCursor` of the page before.', example: `mjszlgo0.${EXAMPLE_SESSION_ID}` },
      limit: { description: 'Conversations of one page.', example: 20 },
    },
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'One page.',
        data: sessionListSchema,
        example: {
          sessions: [
            {
              sessionId: EXAMPLE_SESSION_ID,
              agentId: 'assistant',
              createdAt: AT,
              updatedAt: AT,
              turns: 1,
              title: 'What is the weather in Berlin?',
            },
          ],
          nextCursor: null,
        },
      },
    ],
    problems: ['store_unavailable'],
  },
  {
    id: 'deleteSession',
    method: 'delete',
    path: `${API}/chat/sessions/:sessionId`,
    tag: 'chat',
    role: 'member',
    summary: 'Erase a conversation',
    description:
      'With all its turns, for good. A turn that runs in it is stopped first: its stream ends with `done` and `stopped: true`.',
    parameters: { sessionId: { description: 'Id of the session, a UUID.', example: EXAMPLE_SESSION_ID } },
    headers: ['Accept-Language'],
    answers: [{ status: 204, kind: 'empty', description: 'Nothing is left of it.' }],
    problems: ['session_unknown', 'store_unavailable'],
  },
]
