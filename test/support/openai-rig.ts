import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from './processes.js'

/** The service beside both simulators, as a client of OpenAI meets it: its org is the runtime's. */
export interface OpenAiRig {
  /** up to and with `/v1` */
  readonly baseUrl: string
  /** the token alone */
  readonly apiKey: string
  readonly service: RunningProcess
  /** What the runtime does wrong from now on; nothing where it is empty. */
  runtime(faults: Record<string, unknown>): Promise<void>
  llm(faults: Record<string, unknown>): Promise<void>
  close(): Promise<void>
}

export async function startOpenAiRig(env: Record<string, string> = {}): Promise<OpenAiRig> {
  const flags = temporaryFlags()
  const [llm, runtime] = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
  // So many faults in a row are a fallback; here each turn is to meet its own.
  flags.edit((document) => {
    Object.assign(document.flags['chat-runtime-fallback-policy'] ?? {}, { defaultVariant: 'observe' })
  })
  const service = await startServiceProcess({
    llmUrl: llm.url,
    runtimeUrl: runtime.url,
    flags,
    env: { CHAT_RUNTIME_ENABLED_ORGS: 'acme', CHAT_OPENAI_MODELS: 'gpt-4o=assistant', ...env },
  })
  return {
    baseUrl: `${service.url}/v1`,
    apiKey: (await bearer()).replace('Bearer ', ''),
    service,
    runtime: (faults) => setFaults(runtime, faults),
    llm: (faults) => setFaults(llm, faults),
    async close() {
      await Promise.all([service.end(), llm.end(), runtime.end()])
      flags.remove()
    },
  }
}

async function setFaults(simulator: RunningProcess, faults: Record<string, unknown>): Promise<void> {
  const response = await fetch(`${simulator.url}/_faults`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(faults),
  })
  if (!response.ok) throw new Error(`faults refused: ${await response.text()}`)
}
