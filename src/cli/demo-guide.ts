export interface DemoFacts {
  readonly url: string
  readonly tokens: { readonly member: string; readonly admin: string }
  readonly org: string
  readonly sessionId: string
  /** the events of the demo's own first turn, as sent */
  readonly events: string
  readonly flagsFile: string
  readonly overrideFile: string
  readonly llmUrl: string
  readonly runtimeUrl: string
  readonly runtimePid: number
}

/** What the demo prints: each line under a heading can be pasted into another terminal as it is. */
export function demoGuide(facts: DemoFacts): string {
  const { url, runtimeUrl } = facts
  const member = `-H 'Authorization: Bearer ${facts.tokens.member}'`
  const admin = `-H 'Authorization: Bearer ${facts.tokens.admin}'`
  const json = `-H 'Content-Type: application/json'`
  const start = `curl -sN ${url}/api/v1/chat/start ${member} ${json} -d '{"agentId":"assistant","message":"Hello"}'`
  const faults = `curl -s -X PUT ${runtimeUrl}/_faults ${json} -d`
  return `
The service listens on ${url} (runtime ${runtimeUrl}, LLM ${facts.llmUrl}).
Org "${facts.org}" is on the runtime, every other one on the direct LLM. A first turn, as a client sees it:

${lastEvents(facts.events)}
Member token:  ${facts.tokens.member}
Admin token:   ${facts.tokens.admin}

A turn in a new session, the next one in the session above, its history:
  ${start}
  curl -sN ${url}/api/v1/chat/sessions/${facts.sessionId} ${member} ${json} -d '{"message":"And use a tool"}'
  curl -s ${url}/api/v1/chat/sessions/${facts.sessionId} ${member}

What an admin sees: the flags in force, why a caller gets its mode; then Prometheus:
  curl -s ${url}/api/v1/runtime/flags ${admin}
  curl -s '${url}/api/v1/runtime/explain?orgId=${facts.org}&userId=u1&sessionId=${facts.sessionId}&agentId=assistant' ${admin}
  curl -s ${url}/metrics

See the mode flip without a restart: run this loop, then edit ${facts.flagsFile}
and set "defaultVariant": "direct_llm", later "runtime_orchestrator", in chat-execution-mode (null leaves it to the environment):
  while sleep 1; do ${start} | grep -o '"executionMode":"[a-z_]*"'; done

Take the runtime out by hand for a minute, see a turn go to the direct LLM ("reason":"fallback"), and let it back:
  curl -s ${url}/api/v1/runtime/fallback/trigger ${admin} ${json} -d '{"reason":"a drill","ttlSeconds":60}'
  ${start}
  curl -s ${url}/api/v1/runtime/fallback/status ${admin}
  curl -s -X POST ${url}/api/v1/runtime/fallback/reset ${admin}
  curl -s ${url}/api/v1/runtime/fallback/history ${admin}

Make the runtime sick and see the direct LLM answer in the same stream ("failover" in the done event); then well again:
  ${faults} '{"status":503}'
  ${start}
  ${faults} '{"dropAfterEvents":1}'
  ${start}
  ${faults} '{"softFailure":"I encountered an error: Planning failed."}'
  ${start}
  ${faults} '{}'
How both did so far, as counted in the last five minutes and as kept:
  curl -s ${url}/api/v1/runtime/metrics ${admin}
  curl -s ${url}/api/v1/runtime/baseline ${admin}

Or stop it for good: within a second all turns are the direct LLM's, and ${facts.overrideFile} says why:
  kill ${facts.runtimePid}

Ctrl-C ends the demo; its flags and conversations stay beside ${facts.flagsFile} for the next run (--fresh empties them).
`
}

const SHOWN_EVENTS = 4

/** The end of a stream is what matters: the last few events, the terminal one among them. */
function lastEvents(stream: string): string {
  const events = stream.split('\n\n').filter((event) => event.startsWith('event:'))
  const cut = events.length > SHOWN_EVENTS ? '  ...\n' : ''
  return `${cut}${events
    .slice(-SHOWN_EVENTS)
    .map((event) => `  ${event.replaceAll('\n', '\n  ')}\n`)
    .join('\n')}`
}
