import type { Context } from 'koa'
import type { SessionOwner, SessionStore } from '../../sessions/session-store.js'
import { type Language, languageOf } from '../edge/language.js'
import { Problem, retryLater } from '../edge/problems.js'
import type { FleetStreams } from '../fleet/fleet-streams.js'
import type { RemoteStream } from '../fleet/remote-streams.js'
import { oneLine } from '../stream/message-json.js'
import { eventText } from '../stream/sse-channel.js'
import type { Streams } from '../stream/streams.js'
import { STREAM_FAILURES } from './stream-sentences.js'

/** s after which a reader may ask again while Redis is away */
const RETRY_SECONDS = 2

/** Readers of streams that other replicas write. */
export interface RemoteReaders {
  /** Undefined where no replica has it. @throws Problem 503 while Redis is away */
  find(streamId: string): Promise<RemoteStream | undefined>
  /** Answers with what follows the event `after`, and with what comes. Resolves when the reader has all, or is gone. */
  attach(ctx: Context, remote: RemoteStream, after: number): Promise<void>
}

export interface RemoteReadersDeps {
  readonly fleet: FleetStreams
  readonly streams: Pick<Streams, 'follow'>
  readonly sessions: Pick<SessionStore, 'read'>
}

export function createRemoteReaders({ fleet, streams, sessions }: RemoteReadersDeps): RemoteReaders {
  return {
    find: (streamId) =>
      fleet.find(streamId).catch((thrown: unknown) => {
        throw retryLater('streams_unavailable', RETRY_SECONDS, thrown)
      }),
    async attach(ctx, remote, after) {
      const language = languageOf(ctx)
      const follower = fleet.follow(remote, after, async (id) => {
        const executionMode = await modeOf(remote, sessions)
        return interruptedText(id, executionMode, language)
      })
      try {
        await streams.follow(ctx, follower.stream, { after, token: remote.token })
      } finally {
        follower.end()
      }
    },
  }
}

type Mode = 'direct_llm' | 'runtime_orchestrator'

/** As the history has it; a turn that died before it was kept has none. */
async function modeOf(
  { streamId, sessionId, owner }: RemoteStream & { owner: SessionOwner },
  sessions: Pick<SessionStore, 'read'>,
): Promise<Mode> {
  const session = await sessions.read(sessionId, owner).catch(() => undefined)
  const message = session?.messages.find(({ id }) => id === streamId)
  return (message?.role === 'assistant' ? message.executionMode : undefined) ?? 'direct_llm'
}

function interruptedText(id: number, executionMode: Mode, language: Language): string {
  const { recoverable, [language]: message } = STREAM_FAILURES.interrupted
  const data = { code: 'interrupted', message, recoverable, executionMode }
  return eventText({ event: 'error', id, data: oneLine(JSON.stringify(data)) })
}

/** @throws Problem 410 where something after this event is missing */
export function assertReadable(remote: RemoteStream, after: number): void {
  if (!remote.canRead(after)) throw new Problem('stream_given_up')
}
