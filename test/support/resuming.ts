import { parseEvents } from './chat-client.js'
import type { Edge } from './edge.js'
import { chunksOf, httpText, type RawClient, rawClient } from './raw-client.js'

/** One call for a stream on a connection of its own. */
export async function rawResume(
  edge: Pick<Edge, 'port'>,
  streamId: string,
  headers: Readonly<Record<string, string>>,
  query = '',
): Promise<RawClient> {
  const client = await rawClient(edge.port)
  client.socket.write(httpText('GET', `/api/v1/chat/streams/${streamId}${query}`, headers))
  return client
}

export const headerOf = (client: RawClient, name: string): string =>
  new RegExp(`^${name}: (.*)\r$`, 'im').exec(client.received())?.[1] ?? ''

export type Event = ReturnType<typeof parseEvents>[number]

/** The whole events that a connection got; a cut in the middle of one leaves none of it. */
export function eventsOf(received: string): Event[] {
  const body = chunksOf(received).join('')
  const end = body.lastIndexOf('\n\n')
  return end < 0 ? [] : parseEvents(body.slice(0, end + 2))
}

/** A turn's text in the order of its events, and their ids. */
export function storyOf(events: readonly Event[]): { ids: number[]; text: string; last: string | undefined } {
  let text = ''
  const ids: number[] = []
  for (const { event, id, data } of events) {
    if (id === undefined) continue
    ids.push(id)
    const message = data as { type?: string; data?: { content?: string } }
    if (event === 'message') text += message.data?.content ?? ''
  }
  return { ids, text, last: events.at(-1)?.event }
}
