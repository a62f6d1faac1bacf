import { streamQuerySchema } from '../../protocol/api.js'
import { STREAM } from './chat-operations.js'
import { API, EXAMPLE_MESSAGE_ID } from './example-values.js'
import type { Operation } from './operation.js'

export const STREAM_OPERATIONS: readonly Operation[] = [
  {
    id: 'resumeStream',
    method: 'get',
    path: `${API}/chat/streams/:streamId`,
    tag: 'chat',
    role: 'member',
    summary: 'Go on with a stream on another connection',
    description: `Replays what follows the event \`Last-Event-ID\` and goes on with what comes: from any event, any number of times, by several readers at once. For the user of the turn, while it runs and for 5 min after its end.
Without an \`Authorization\` header the query parameter \`token\` opens it, with the value of \`X-Chat-Stream-Token\`, so that a plain \`EventSource\` can read it. At most 1 MiB of events is kept of each stream; where memory is short, the streams that ended first are given up first.`,
    parameters: {
      streamId: {
        description: '`X-Chat-Stream-Id` of the stream.',
        example: EXAMPLE_MESSAGE_ID,
      },
      lastEventId: {
        description:
          'Id of the last event that was seen, for clients that cannot send the header; the header `Last-Event-ID` wins. 0, or neither: from the beginning.',
        example: '1',
      },
      token: {
        description: '`X-Chat-Stream-Token` of this stream, in place of an `Authorization` header.',
        example: 'p0nQ3hYkq8lX1dSxJm7oJ2b6cV9wTtE4rUaZ5fGiHsM',
      },
    },
    query: streamQuerySchema,
    headers: ['Accept-Language', 'Last-Event-ID'],
    answers: [
      STREAM,
      {
        status: 204,
        kind: 'empty',
        description:
          'The stream is over and `Last-Event-ID` is its terminal event. An `EventSource` stops asking then.',
      },
    ],
    problems: [
      'stream_token_invalid',
      'stream_unknown',
      'stream_given_up',
      'overloaded',
      'too_many_streams',
      'streams_unavailable',
    ],
  },
]
