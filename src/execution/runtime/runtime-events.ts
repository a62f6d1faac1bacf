import type { MessageBody } from '../../protocol/events.js'
import { type Foreign, isForeign, namesTimeout, parsePythonObject, token } from '../parse/foreign.js'
import { allowedFileUrl, cleanFilename, cleanMimeType, type FilePlaces } from './runtime-files.js'
import { MAX_RESULT, withTruncatedResult } from './truncate-result.js'

/** What one frame of the runtime means to us. */
export type RuntimeSignal =
  | MessageBody
  | { readonly type: 'complete'; readonly finalResponse: string | undefined }
  | ({ readonly type: 'failure' } & RuntimeFailure)
  | { readonly type: 'ping' }
  /** a file at a place that clients must not be led to */
  | { readonly type: 'dropped_file' }
  | { readonly type: 'unknown' }
  | { readonly type: 'unparsable'; readonly commits: boolean }

/** An `execution_error`. Its `error` text may quote the user and stays out. */
export interface RuntimeFailure {
  readonly code: string | undefined
  readonly httpStatus: number | undefined
  readonly traceId: string | undefined
  readonly timeout: boolean
  readonly cancelled: boolean
}

const PING: RuntimeSignal = { type: 'ping' }
const DROPPED_FILE: RuntimeSignal = { type: 'dropped_file' }
const UNKNOWN: RuntimeSignal = { type: 'unknown' }
const UNPARSABLE: RuntimeSignal = { type: 'unparsable', commits: false }

/**
 * Maps one frame (`{"event", "data", "timestamp"}` as text) by the table of the protocol. A known event whose data has
 * the wrong shape is unparsable. A plan step without a title has an empty one. File addresses become absolute by
 * `files`, which also says which of them are dropped.
 */
export function mapRuntimeFrame(frame: string, files: FilePlaces): RuntimeSignal {
  const parsed = parsePythonObject(frame)
  if (parsed === undefined || typeof parsed.event !== 'string') return unparsable(frame)
  const { event, data } = parsed
  // Nearly every frame is one of these.
  if (event === 'text_chunk') return isForeign(data) ? textChunk(data) : UNPARSABLE
  if (event === 'ping') return PING
  if (event === 'execution_error') return failure(isForeign(data) ? data : {})
  if (event === 'execution_complete') return complete(isForeign(data) ? data : {})
  const mapper = MAPPERS.get(event)
  if (mapper === undefined) return UNKNOWN
  if (!isForeign(data)) return unparsable(frame)
  return mapper(frame.length > MAX_RESULT ? withTruncatedResult(data) : data, files) ?? unparsable(frame)
}

/** Where a frame names its event: the runtime writes that key first. */
const NAMES_WORK = /^\s*\{\s*"event"\s*:\s*"(?:(?:tool|skill|mcp)_call_(?:start|complete)|file_created)"/
const NAMES_STEP = /^\s*\{\s*"event"\s*:\s*"plan_step_(?:start|complete|failed)"/

/** A frame we cannot read; the world may have felt what it names, though. A lost text has been seen by nobody. */
function unparsable(frame: string): RuntimeSignal {
  const commits = NAMES_WORK.test(frame) || (NAMES_STEP.test(frame) && /"tool"\s*:\s*"[^"]/.test(frame))
  return commits ? { type: 'unparsable', commits } : UNPARSABLE
}

type Mapper = (data: Foreign, files: FilePlaces) => RuntimeSignal | undefined

const MAPPERS: ReadonlyMap<string, Mapper> = new Map<string, Mapper>(
  Object.entries<Mapper>({
    thinking: (data) =>
      typeof data.content === 'string'
        ? { type: 'thinking', data: { content: data.content, ...optionalText('stage', data.stage) } }
        : undefined,
    plan_created: planCreated,
    plan_step_start: (data) => planStep(data, 'running'),
    plan_step_complete: (data) => planStep(data, 'completed'),
    plan_step_failed: (data) => planStep(data, 'failed'),
    tool_call_start: (data) => {
      const toolName = name(data.tool_name)
      if (toolName === undefined) return undefined
      return { type: 'tool_call', data: { toolName, arguments: data.arguments, status: 'calling' } }
    },
    tool_call_complete: (data) => {
      const toolName = name(data.tool_name)
      return toolName === undefined ? undefined : { type: 'tool_result', data: { toolName, ...result(data) } }
    },
    skill_call_start: (data) => {
      const skill = skillOf(data)
      if (skill === undefined) return undefined
      return { type: 'skill_call', data: { ...skill, arguments: data.arguments, status: 'calling' } }
    },
    skill_call_complete: (data) => {
      const skill = skillOf(data)
      return skill === undefined ? undefined : { type: 'skill_result', data: { ...skill, ...result(data) } }
    },
    mcp_call_start: (data) => {
      const tool = mcpOf(data)
      if (tool === undefined) return undefined
      return { type: 'mcp_call', data: { ...tool, arguments: data.arguments, status: 'calling' } }
    },
    mcp_call_complete: (data) => {
      const tool = mcpOf(data)
      return tool === undefined ? undefined : { type: 'mcp_result', data: { ...tool, ...result(data) } }
    },
    file_created: fileCreated,
  }),
)

function textChunk(data: Foreign): RuntimeSignal {
  return typeof data.content === 'string' ? { type: 'text', data: { content: data.content } } : UNPARSABLE
}

function complete(data: Foreign): RuntimeSignal {
  const text = data.final_response
  return { type: 'complete', finalResponse: typeof text === 'string' ? text : undefined }
}

function failure(data: Foreign): RuntimeSignal {
  const code = token(data.code, 64)
  const status = data.httpStatus ?? data.http_status
  const httpStatus = typeof status === 'number' && Number.isInteger(status) ? status : undefined
  return {
    type: 'failure',
    code,
    httpStatus,
    traceId: token(data.traceId ?? data.trace_id),
    timeout: namesTimeout(code) || httpStatus === 408 || httpStatus === 504,
    cancelled: code === 'EXECUTION_CANCELLED',
  }
}

function planCreated(data: Foreign): MessageBody | undefined {
  if (!Array.isArray(data.steps)) return undefined
  const steps: { id: string; title: string; status: 'pending' }[] = []
  for (const step of data.steps as readonly unknown[]) {
    const id = isForeign(step) ? name(step.id) : undefined
    if (!isForeign(step) || id === undefined) return undefined
    steps.push({ id, title: typeof step.title === 'string' ? step.title : '', status: 'pending' })
  }
  return { type: 'plan', data: { steps, currentStep: 0 } }
}

function planStep(data: Foreign, status: 'running' | 'completed' | 'failed'): MessageBody | undefined {
  const stepId = name(data.step_id)
  if (stepId === undefined) return undefined
  return {
    type: 'plan_step',
    data: {
      stepId,
      title: typeof data.title === 'string' ? data.title : '',
      status,
      ...optionalText('tool', data.tool),
      ...(given(data.params) ? { params: data.params } : {}),
      ...(given(data.result) ? { result: data.result, ...truncatedOf(data) } : {}),
      ...errorOf(data.error),
      ...(typeof data.duration_ms === 'number' ? { durationMs: data.duration_ms } : {}),
    },
  }
}

function fileCreated(data: Foreign, files: FilePlaces): RuntimeSignal | undefined {
  const filename = name(data.filename)
  if (filename === undefined || typeof data.url !== 'string') return undefined
  const url = allowedFileUrl(data.url, files)
  if (url === undefined) return DROPPED_FILE
  const size = typeof data.size === 'number' ? { size: data.size } : {}
  const mimeType = cleanMimeType(data.mime_type)
  return { type: 'file', data: { url, filename: cleanFilename(filename), mimeType, ...size } }
}

function result(data: Foreign) {
  const error = errorOf(data.error)
  return {
    result: data.result,
    ...truncatedOf(data),
    success: typeof data.success === 'boolean' ? data.success : error.error === undefined,
    ...error,
    ...(typeof data.duration === 'number' ? { duration: data.duration } : {}),
  }
}

function truncatedOf(data: Foreign): { truncated?: true } {
  return data.truncated === true ? { truncated: true } : {}
}

function skillOf(data: Foreign): { skillId: string; skillName: string } | undefined {
  const skillId = name(data.skill_id)
  if (skillId === undefined) return undefined
  return { skillId, skillName: name(data.skill_name) ?? skillId }
}

function mcpOf(data: Foreign): { serverId: string; toolName: string } | undefined {
  const serverId = name(data.server_id)
  const toolName = name(data.tool_name)
  return serverId === undefined || toolName === undefined ? undefined : { serverId, toolName }
}

// Ids may come as numbers; an empty name names nothing.
function name(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : undefined
}

function errorOf(error: unknown): { error?: string } {
  if (!given(error) || error === '') return {}
  return { error: typeof error === 'string' ? error : JSON.stringify(error) }
}

function optionalText<K extends string>(key: K, value: unknown): { [key in K]?: string } {
  return typeof value === 'string' && value !== '' ? ({ [key]: value } as { [key in K]: string }) : {}
}

function given(value: unknown): boolean {
  return value !== undefined && value !== null
}
