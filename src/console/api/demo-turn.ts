import { createChatClient } from '../../client/index.js'
import { language } from '../text/language.js'
import { token } from './session.js'

const TIMEOUT_MS = 60_000

/** One turn of the reader's own; for the demo. What comes of it, the counters of the service tell. Never rejects. */
export async function sendDemoTurn(message: string): Promise<void> {
  const client = createChatClient({ token: () => token.value ?? '', language: language.value })
  await client.start({ agentId: 'demo', message }, { signal: AbortSignal.timeout(TIMEOUT_MS) }).answer()
}
