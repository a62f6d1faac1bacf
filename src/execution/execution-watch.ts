import { SpanKind } from '@opentelemetry/api'
import type { TraceSpan } from '../core/tracing/trace-span.js'
import type { ExecutionMode } from '../protocol/modes.js'
import type { Outcome } from './outcome.js'

/** Looks on at one execution. It throws nothing, and waits for nothing. */
export interface ExecutionWatch {
  /** its span; absent: it is in no trace */
  readonly span?: TraceSpan
  connected(): void
  /** A good response head came. */
  headers(): void
  /** A request to an endpoint of the direct LLM begins. Returns what is told of its end: `ok`, `aborted`, or the code of its failure. */
  request(endpoint: string): (cause: string) => void
  /** A file of the runtime was not passed on, for where it is. */
  fileDropped(): void
}

/**
 * Name, kind and attributes of the span of an execution, a user's or a shadow's. The runtime is asked by the execution itself, the direct
 * LLM by requests with spans of their own.
 */
export function executionSpan(name: string, mode: ExecutionMode) {
  const isRuntime = mode === 'runtime_orchestrator'
  return {
    name: `${name} ${mode}`,
    kind: isRuntime ? SpanKind.CLIENT : SpanKind.INTERNAL,
    attributes: {
      'chat.execution_mode': mode,
      ...(isRuntime
        ? { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.provider.name': 'chat-runtime' }
        : {}),
    },
  }
}

/** Ends it with what became of the execution. */
export function endExecutionSpan(span: TraceSpan, outcome: Outcome): void {
  const { result, firstContentMs } = outcome
  span.set({
    'chat.outcome': result,
    ...(firstContentMs === undefined ? {} : { 'chat.first_content_ms': Math.round(firstContentMs) }),
    ...('phase' in outcome ? { 'chat.phase': outcome.phase } : {}),
  })
  if (outcome.result === 'aborted') span.set({ 'chat.abort': outcome.code })
  else if (outcome.result !== 'ok') span.fail(outcome.code)
  span.end()
}

/** Tells the phases of an execution to its span alone. */
export function spanWatch(span: TraceSpan): ExecutionWatch {
  return {
    span,
    connected: () => span.event('connected'),
    headers: () => span.event('headers'),
    request: () => () => undefined,
    fileDropped: () => span.event('file_dropped'),
  }
}
