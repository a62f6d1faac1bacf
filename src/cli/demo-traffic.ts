/** Users of the demo: ten organisations that ask now and then, some for tools, some in conversations of several turns. */

export const DEMO_ORGS = [
  'acme',
  'globex',
  'initech',
  'umbrella',
  'hooli',
  'stark',
  'wayne',
  'wonka',
  'tyrell',
  'cyberdyne',
] as const

const MESSAGES = [
  'What is on my list for today?',
  'Use a tool to look up the weather',
  'Summarise the last meeting',
  'Write a short note to the team',
  'Use a tool to search the handbook',
  'Which invoices are open?',
] as const

/** turns at a time; what would be beyond is left out */
const MOST_RUNNING = 20
/** ms between two turns; half to one and a half of it */
const MEAN_PAUSE_MS = 400
/** ms a turn may take before its user leaves */
const PATIENCE_MS = 20_000

export interface DemoTraffic {
  /** Ends every turn; nothing of it is left then. */
  stop(): Promise<void>
}

/** Asks the service until it is stopped. What a turn comes to is for the console to tell: here nothing fails. */
export function startTraffic(
  url: string,
  tokens: ReadonlyMap<string, string>,
  random: () => number,
): DemoTraffic {
  const end = new AbortController()
  const running = new Set<Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let asked = 0
  const next = (): void => {
    timer = setTimeout(next, MEAN_PAUSE_MS * (0.5 + random()))
    if (running.size >= MOST_RUNNING) return
    const org = DEMO_ORGS[Math.floor(random() * DEMO_ORGS.length)] ?? 'acme'
    const token = tokens.get(org)
    if (token === undefined) return
    const message = MESSAGES[asked++ % MESSAGES.length] ?? ''
    const turn = ask(url, token, message, AbortSignal.any([end.signal, AbortSignal.timeout(PATIENCE_MS)]))
    running.add(turn)
    void turn.then(() => running.delete(turn))
  }
  next()
  return {
    stop: async () => {
      clearTimeout(timer)
      end.abort()
      await Promise.all(running)
    },
  }
}

async function ask(url: string, token: string, message: string, signal: AbortSignal): Promise<void> {
  try {
    const response = await fetch(`${url}/api/v1/chat/start`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ agentId: 'demo', message }),
      signal,
    })
    await response.arrayBuffer()
  } catch {
    // The demo ends, or the user lost patience: both are part of it.
  }
}
