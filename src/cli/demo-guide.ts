export interface DemoFacts {
  readonly url: string
  readonly tokens: { readonly member: string; readonly admin: string }
  readonly org: string
  readonly sessionId: string
  /** the events of the demo's own first turn, as sent */
  readonly events: string
  /** of flags, conversations and the shell file, as seen from where the demo runs */
  readonly folder: string
  readonly llmUrl: string
  readonly runtimeUrl: string
  readonly runtimePid: number
}

/** What another terminal needs, as a file it reads by `.`; the guide, docs/runbook.md and docs/shadow.md go by its names. */
export function demoShell({ url, tokens, folder, llmUrl, runtimeUrl }: DemoFacts): string {
  return `# Made by the demo at each start, for bash and zsh: . ${shellFile(folder)}
export CHAT_URL=${url} RUNTIME=${runtimeUrl} LLM=${llmUrl} FLAGS=${quoted(folder)}
# An admin's and a member's token, good for a week; then headers for curl.
export CHAT_TOKEN=${tokens.admin}
export MEMBER_TOKEN=${tokens.member}
ADMIN="Authorization: Bearer $CHAT_TOKEN"
MEMBER="Authorization: Bearer $MEMBER_TOKEN"
JSON='Content-Type: application/json'
`
}

/** What the demo prints: each line under a heading can be pasted into another terminal as it is, once that read the shell file. */
export function demoGuide(facts: DemoFacts): string {
  const { url, llmUrl, runtimeUrl, folder } = facts
  const flagsFile = inFolder(folder, 'chat.flagd.json')
  const start = `curl -sN $CHAT_URL/api/v1/chat/start -H "$MEMBER" -H "$JSON" -d '{"agentId":"assistant","message":"Hello"}'`
  const session = `$CHAT_URL/api/v1/chat/sessions/${facts.sessionId}`
  const ask = (path: string, options = ''): string =>
    `curl -sw '\\n' ${options}"$CHAT_URL/api/v1/runtime/${path}" -H "$ADMIN" -H 'Accept-Language: en'`
  const faults = `curl -sw '\\n' -X PUT $RUNTIME/_faults -H "$JSON" -d`
  return `
The service listens on ${url} (runtime ${runtimeUrl}, LLM ${llmUrl}).
Org "${facts.org}" is on the runtime, every other one on the direct LLM. A first turn, as a client sees it:

${lastEvents(facts.events)}
In another terminal (bash or zsh, in this folder) read addresses and tokens first; all lines below go by them:
  . ${shellFile(folder)}

A turn in a new session, the next one in the session above, its history:
  ${start}
  curl -sN ${session} -H "$MEMBER" -H "$JSON" -d '{"message":"And use a tool"}'
  curl -sw '\\n' ${session} -H "$MEMBER"

What an admin sees: faults of the flags, which mode a caller gets and why; then Prometheus:
  ${ask('flags')}
  ${ask(`explain?orgId=${facts.org}&agentId=assistant`)}
  curl -s $CHAT_URL/metrics

See the mode flip without a restart: run this loop, then edit ${flagsFile}
and set "defaultVariant": "direct_llm", later "runtime_orchestrator", in chat-execution-mode (null leaves it to the environment):
  while sleep 1; do ${start} | grep -o '"executionMode":"[a-z_]*"'; done

Take the runtime out by hand for a minute, see a turn go to the direct LLM ("reason":"fallback"), and let it back:
  ${ask('fallback/trigger', `-d '{"reason":"a drill","ttlSeconds":60}' -H "$JSON" `)}
  ${start}
  ${ask('fallback/status')}
  ${ask('fallback/reset', '-X POST ')}
  ${ask('fallback/history')}

Make the runtime fail and see the direct LLM answer in the same stream ("failover" in the done event); then repair it:
  ${faults} '{"status":503}'
  ${start}
  ${faults} '{"dropAfterEvents":1}'
  ${start}
  ${faults} '{"softFailure":"I encountered an error: Planning failed."}'
  ${start}
  ${faults} '{}'

How both did so far, as counted in the last five minutes and as kept:
  ${ask('metrics')}
  npx chat-cutover baseline

Or kill it: within a second all turns are the direct LLM's, and ${inFolder(folder, 'auto-fallback.flagd.json')} says why:
  kill ${facts.runtimePid}
Started again, and with the loop from above running, it gets its sessions back by itself, all of them after some two minutes:
  node dist/simulator/main.js runtime --port ${new URL(runtimeUrl).port}

More to paste: a share of the sessions on both backends and the report on them in docs/shadow.md, every fault and alert in docs/runbook.md.
Ctrl-C ends the demo; flags and conversations stay in ${folder} for the next run (npm run demo -- --fresh begins anew).
`
}

const inFolder = (folder: string, file: string): string => (folder === '.' ? file : `${folder}/${file}`)

/** With a slash in it: `.` looks for a bare name in the PATH. */
const shellFile = (folder: string): string => quoted(`${folder}/env`)

const quoted = (text: string): string =>
  /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

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
