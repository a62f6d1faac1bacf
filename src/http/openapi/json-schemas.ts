import { z } from 'zod'
import * as api from '../../protocol/api.js'
import * as baseline from '../../protocol/baseline.js'
import * as events from '../../protocol/events.js'
import * as codes from '../../protocol/execution-codes.js'
import * as fallback from '../../protocol/fallback.js'
import * as edits from '../../protocol/flag-edit.js'
import * as records from '../../protocol/flag-edit-record.js'
import * as modes from '../../protocol/modes.js'
import * as openai from '../../protocol/openai.js'
import * as replays from '../../protocol/replay.js'
import * as sessions from '../../protocol/session-list.js'
import * as shadow from '../../protocol/shadow-report.js'
import { chatStreamEventSchema, operatorStreamEventSchema } from '../operations/event-schemas.js'

export type JsonSchema = Readonly<Record<string, unknown>>

/** Schemas that the document names once, under `components/schemas`, and refers to elsewhere. */
const NAMED: Readonly<Record<string, z.ZodType>> = {
  ChatStreamEvent: chatStreamEventSchema,
  OperatorStreamEvent: operatorStreamEventSchema,
  MessageEvent: events.messageEventSchema,
  DoneEvent: events.doneEventSchema,
  ErrorEvent: events.errorEventSchema,
  Usage: events.usageSchema,
  Failover: events.failoverSchema,
  FinishReason: events.finishReasonSchema,
  StreamErrorCode: events.streamErrorCodeSchema,
  ExecutionErrorCode: codes.executionErrorCodeSchema,
  ExecutionPhase: codes.executionPhaseSchema,
  ExecutionMode: modes.executionModeSchema,
  Decision: modes.decisionSchema,
  Error: api.errorBodySchema,
  StartRequest: api.startRequestSchema,
  TurnRequest: api.turnRequestSchema,
  Session: api.sessionSchema,
  SessionList: sessions.sessionListSchema,
  Explanation: api.explanationSchema,
  ChatCompletionRequest: openai.chatCompletionRequestSchema,
  ChatCompletion: openai.chatCompletionSchema,
  ChatCompletionChunk: openai.chatCompletionChunkSchema,
  CompletionUsage: openai.completionUsageSchema,
  OpenAiError: openai.openAiErrorSchema,
  Model: openai.modelSchema,
  ModelList: openai.modelListSchema,
  WindowMetrics: fallback.windowMetricsSchema,
  Metrics: fallback.metricsSchema,
  OrgMetrics: fallback.orgMetricsSchema,
  FallbackStatus: fallback.fallbackStatusSchema,
  TriggerRequest: fallback.triggerRequestSchema,
  Transition: fallback.transitionSchema,
  TransitionEvent: fallback.transitionEventSchema,
  FlagsEvent: fallback.flagsEventSchema,
  MetricsEvent: fallback.metricsEventSchema,
  FlagsView: edits.flagsViewSchema,
  FlagValues: edits.opsValuesSchema,
  FlagEdit: edits.flagEditSchema,
  FlagEditAnswer: edits.flagEditAnswerSchema,
  FlagEditPreview: edits.flagEditPreviewSchema,
  FlagEditEvent: records.flagEditEventSchema,
  FlagEditEntry: records.flagEditEntrySchema,
  FlagChange: records.flagChangeSchema,
  Baseline: baseline.baselineSchema,
  ReplayRequest: replays.replayRequestSchema,
  Replay: replays.replaySchema,
  ShadowReport: shadow.shadowReportSchema,
  ShadowDimension: shadow.shadowDimensionReportSchema,
  Estimate: shadow.estimateSchema,
}

const names = z.registry<{ id: string }>()
for (const [id, schema] of Object.entries(NAMED)) names.add(schema, { id })

/** JSON schemas of zod's, those with a name collected on the way. */
export interface JsonSchemas {
  /** What a client sends (`input`) or gets (`output`), by reference where it has a name. */
  of(schema: z.ZodType, io: 'input' | 'output'): JsonSchema
  /** The named ones that were met, by name. */
  collected(): Readonly<Record<string, JsonSchema>>
}

const DEFINITIONS = /^#\/\$defs\//

export function createJsonSchemas(): JsonSchemas {
  const met = new Map<string, JsonSchema>()
  const made = new Map<z.ZodType, JsonSchema>()
  return {
    of(schema, io) {
      const before = made.get(schema)
      if (before !== undefined && io === 'output') return before
      // Within an object: a schema with a name would stand at the root without it.
      const { properties, $defs } = z.toJSONSchema(z.object({ it: schema }), {
        io,
        metadata: names,
        override: ({ zodSchema, jsonSchema }) => {
          const { description } = z.globalRegistry.get(zodSchema) ?? {}
          if (description !== undefined) jsonSchema.description = description
          // zod's bounds of every whole number tell nobody anything.
          if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
          if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
          // Answers gain fields in later versions; a client that refuses those would break.
          if (io === 'output' && jsonSchema.additionalProperties === false)
            delete jsonSchema.additionalProperties
        },
      })
      for (const [name, definition] of Object.entries($defs ?? {})) collect(met, name, relinked(definition))
      const json = relinked(properties?.it)
      if (io === 'output') made.set(schema, json)
      return json
    },
    collected: () => Object.fromEntries([...met].sort(([one], [other]) => (one < other ? -1 : 1))),
  }
}

/** @throws for a name that stands for two schemas: give what is sent and what is answered a name each */
function collect(met: Map<string, JsonSchema>, name: string, schema: JsonSchema): void {
  const before = met.get(name)
  if (before !== undefined && JSON.stringify(before) !== JSON.stringify(schema))
    throw new Error(`the schema ${name} differs between requests and answers`)
  met.set(name, schema)
}

/** The same with references into `components/schemas`. */
function relinked(schema: unknown): JsonSchema {
  const copy: unknown = JSON.parse(JSON.stringify(schema), (key, value: unknown) => {
    if (key === '$ref' && typeof value === 'string')
      return value.replace(DEFINITIONS, '#/components/schemas/')
    return value
  })
  return isObject(copy) ? copy : {}
}

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
