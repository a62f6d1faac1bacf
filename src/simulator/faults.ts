import { z } from 'zod'
import { llmFaults } from './llm-faults.js'

/** Faults of the simulated LLM and runtime, as `PUT /_faults` takes them. What is left out is off. */

const ms = z.number().int().min(0).max(86_400_000)
const count = z.number().int().min(0).max(20_000_000)
const code = z.string().max(200)

export const faultsSchema = z
  .strictObject({
    headersDelayMs: ms.describe('ms before the response head'),
    firstContentDelayMs: ms.describe(
      'ms before the first text (after the head and, at the runtime, the thinking)',
    ),
    gapMs: ms.describe('ms before every further text'),
    status: z.number().int().min(300).max(599).describe('answer with this HTTP status and an error body'),
    errorEvent: z
      .union([
        z.literal(true),
        z.strictObject({
          afterEvents: count.optional(),
          error: code.optional(),
          code: code.optional(),
          httpStatus: z.number().int().optional(),
          traceId: code.optional(),
        }),
      ])
      .describe(
        'true or {afterEvents, error, code, httpStatus, traceId}: an error in the stream (first thing, or after n events)',
      ),
    dropAfterEvents: count.describe(
      'cut the connection after n events; 0 = after the head, before the first',
    ),
    hang: z
      .enum(['headers', 'body'])
      .describe('"headers": never answer; "body": send the head and nothing more'),
    resetAfterMs: ms.describe('runtime: read the turn, work n ms, and reset the connection before any head'),
    garbage: z
      .union([z.literal(true), count])
      .describe('n unparsable frames before the answer, or true: nothing else, without end'),
    endless: z.boolean().describe('texts without end, gapMs apart'),
    pingOnly: z.boolean().describe('nothing but pings, 20 ms apart (LLM: comments)'),
    softFailure: z
      .union([
        z.literal(true),
        z.string().max(10_000),
        z.strictObject({ text: z.string().max(10_000), after: z.string().max(10_000) }),
      ])
      .describe(
        'true, a text or {text, after}: a failure sent as an ordinary answer, after some good text (also in mid-sentence) or not',
      ),
    nan: z.boolean().describe('runtime: a tool call first, with NaN and Infinity as Python writes them'),
    largeResult: count.describe('runtime: a tool call first, its result of n characters'),
    doneBlanks: z.boolean().describe('blanks around [DONE]'),
    honourShadow: z
      .boolean()
      .describe('runtime: a shadow runs no tools, and X-Chat-Shadow: honoured says so; else it is ignored'),
    noDone: z.boolean().describe('end without [DONE]'),
    noTerminal: z.boolean().describe('end the response cleanly without any terminal event'),
    oversizedFrame: z
      .union([z.literal(true), z.number().int().min(0).max(40_000_000)])
      .describe('characters of one frame sent first; true = 2 MiB'),
    chunkBytes: z.number().int().min(1).max(65_536).describe('write the stream in pieces of n bytes'),
    newline: z.enum(['lf', 'crlf']).describe('line end of the frames (runtime: crlf, LLM: lf by default)'),
    bom: z.boolean().describe('begin the stream with a byte order mark'),
    usageDelayMs: ms.describe('LLM: ms between the finish_reason and the usage'),
    noUsage: z.boolean().describe('LLM: no usage, asked for or not'),
    ...llmFaults,
    onlyOrgs: z
      .array(z.string())
      .min(1)
      .describe(
        'runtime: status, errorEvent, hang, garbage, softFailure and dropAfterEvents hit these orgs alone',
      ),
    refuse: z.boolean().describe('reset every connection unanswered, but for /_faults'),
    healthDelayMs: ms.describe('runtime: ms before /health answers'),
    healthStatus: z.number().int().min(200).max(599).describe('runtime: HTTP status of /health'),
    events: count.describe('number of text events of an answer'),
    textBytes: z.number().int().min(1).max(16_000_000).describe('bytes of each text event'),
  })
  .partial()

export type Faults = z.infer<typeof faultsSchema>

/** The faults in the text, or what is wrong with it, one line a fault. */
export function parseFaults(text: string): { faults: Faults } | { wrong: readonly string[] } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { wrong: ['the body is not JSON'] }
  }
  const parsed = faultsSchema.safeParse(value)
  if (parsed.success) return { faults: parsed.data }
  return {
    wrong: parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`),
  }
}

/** One line a fault, for `--help`. */
export function describeFaults(): string {
  const { shape } = faultsSchema
  return Object.entries(shape)
    .map(([name, schema]) => `  ${name.padEnd(20)} ${schema.unwrap().description ?? ''}`)
    .join('\n')
}
