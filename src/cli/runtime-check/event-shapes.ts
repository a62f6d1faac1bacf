import { z } from 'zod'

/** The events of a runtime as the service reads them: `data` of each, further fields allowed. */
const step = z.looseObject({ step_id: z.string(), title: z.string() })
const tool = z.looseObject({ tool_name: z.string() })
const skill = z.looseObject({ skill_id: z.string(), skill_name: z.string() })
const mcp = z.looseObject({ server_id: z.string(), tool_name: z.string() })
const ended = { success: z.boolean() }

const SHAPES: Readonly<Record<string, z.ZodType>> = {
  plan_created: z.looseObject({ steps: z.array(z.looseObject({ id: z.string(), title: z.string() })) }),
  plan_step_start: step,
  plan_step_complete: step,
  plan_step_failed: step.extend({ error: z.string() }),
  tool_call_start: tool,
  tool_call_complete: tool.extend(ended),
  skill_call_start: skill,
  skill_call_complete: skill.extend(ended),
  mcp_call_start: mcp,
  mcp_call_complete: mcp.extend(ended),
  thinking: z.looseObject({ content: z.string() }),
  text_chunk: z.looseObject({ content: z.string() }),
  file_created: z.looseObject({ filename: z.string(), mime_type: z.string(), url: z.string() }),
  execution_complete: z.looseObject({ final_response: z.string().nullish() }),
  execution_error: z.looseObject({ error: z.string() }),
  ping: z.unknown(),
}

export interface RuntimeEvent {
  readonly event: string
  readonly data: unknown
}

export const isKnownEvent = (event: string): boolean => event in SHAPES

/** What is wrong with the data of the events, in English: `tool_call_complete: success (expected boolean …)`. */
export function shapeFaults(events: readonly RuntimeEvent[]): string[] {
  const faults = events.flatMap(({ event, data }) => {
    const parsed = SHAPES[event]?.safeParse(data ?? {})
    if (parsed === undefined || parsed.success) return []
    return parsed.error.issues.map(
      ({ path, message }) => `${event}: ${path.map(String).join('.')} (${message})`,
    )
  })
  return [...new Set(faults)]
}

const CALL = /^(tool|skill|mcp)_call_(start|complete)$/

/** Calls that began and never completed, by kind and name. */
export function openCalls(events: readonly RuntimeEvent[]): string[] {
  const open: string[] = []
  for (const { event, data } of events) {
    const [, kind, what] = CALL.exec(event) ?? []
    if (kind === undefined) continue
    const name = `${kind} ${nameOf(data)}`
    if (what === 'start') open.push(name)
    else if (open.includes(name)) open.splice(open.indexOf(name), 1)
  }
  return open
}

export const callsOf = (events: readonly RuntimeEvent[]): number =>
  events.filter(({ event }) => CALL.test(event)).length

const nameSchema = z.looseObject({ tool_name: z.string().optional(), skill_id: z.string().optional() })

function nameOf(data: unknown): string {
  const { data: named } = nameSchema.safeParse(data)
  return named?.tool_name ?? named?.skill_id ?? '?'
}
