import { z } from 'zod'
import type { RedisLink } from '../../core/redis/redis-link.js'

/** What replicas tell each other at once. It may be lost: the database or the next message says the same a little later. */
const messageSchema = z.discriminatedUnion('kind', [
  /** A person stopped this turn. */
  z.object({ kind: z.literal('stop'), messageId: z.string() }),
  /** A session was erased: nothing of its streams is to be kept. */
  z.object({ kind: z.literal('erase'), sessionId: z.string() }),
  /** A reader follows this stream on another replica; holds for `ms`. */
  z.object({
    kind: z.literal('reading'),
    streamId: z.string(),
    reader: z.string(),
    ms: z.number().int().min(0).max(60_000),
  }),
  /** ... and does no longer. */
  z.object({ kind: z.literal('left'), streamId: z.string(), reader: z.string() }),
])
export type ReplicaMessage = z.infer<typeof messageSchema>

export interface ReplicaMessages {
  /** Sends to all replicas, this one too. Never throws, never waits. */
  tell(message: ReplicaMessage): void
  /** @returns ends it */
  listen(listener: (message: ReplicaMessage) => void): () => void
}

export function createReplicaMessages(link: RedisLink): ReplicaMessages {
  const channel = `${link.prefix}:replicas`
  return {
    tell(message) {
      // Lost while Redis is away; the alert says so.
      link.publish(channel, JSON.stringify(message)).catch(() => undefined)
    },
    listen: (listener) =>
      link.subscribe(channel, (text) => {
        const message = parse(text)
        if (message !== undefined) listener(message)
      }),
  }
}

/** Undefined for what a newer version sends. */
function parse(text: string): ReplicaMessage | undefined {
  try {
    return messageSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
