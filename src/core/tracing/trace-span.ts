import {
  type Attributes,
  type Context,
  isSpanContextValid,
  type Link,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { traceHeaders } from './trace-context.js'

/** What log lines carry of a trace, by OpenTelemetry's names. */
export interface TraceIds {
  readonly trace_id: string
  readonly span_id: string
}

/**
 * An open span and its place in the trace. Parents are handed on as values, never by the asynchronous context: that would cost every
 * turn, traced or not. Where nobody traces it stands for the client's span: nothing is recorded, and its context is carried on as it came.
 */
export class TraceSpan {
  readonly ids: TraceIds
  readonly #tracer: Tracer
  readonly #context: Context
  readonly #span: Span
  #headers: Readonly<Record<string, string>> | undefined

  constructor(tracer: Tracer, parent: Context, name: string, options: SpanOptions) {
    this.#tracer = tracer
    this.#span = tracer.startSpan(name, options, parent)
    this.#context = trace.setSpan(parent, this.#span)
    const { traceId, spanId } = this.#span.spanContext()
    this.ids = { trace_id: traceId, span_id: spanId }
  }

  /** `traceparent` and `tracestate` of requests made within it; none where it is in no trace. */
  get headers(): Readonly<Record<string, string>> {
    const context = this.#span.spanContext()
    this.#headers ??= isSpanContextValid(context) ? traceHeaders(context) : {}
    return this.#headers
  }

  /** The trace is kept, as far as is known here. */
  get isSampled(): boolean {
    const context = this.#span.spanContext()
    return isSpanContextValid(context) && (context.traceFlags & TraceFlags.SAMPLED) !== 0
  }

  child(name: string, options: SpanOptions = {}): TraceSpan {
    return new TraceSpan(this.#tracer, this.#context, name, options)
  }

  /** A span of a trace of its own, linked to this one. */
  apart(name: string, options: SpanOptions = {}): TraceSpan {
    return new TraceSpan(this.#tracer, this.#context, name, { ...options, root: true, links: [this.link()] })
  }

  link(attributes: Attributes = {}): Link {
    return { context: this.#span.spanContext(), attributes }
  }

  rename(name: string): void {
    this.#span.updateName(name)
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes)
  }

  event(name: string, attributes: Attributes = {}): void {
    this.#span.addEvent(name, attributes)
  }

  /** @param type a code, never a text: that might be of the content */
  fail(type: string): void {
    this.#span.setAttribute('error.type', type)
    this.#span.setStatus({ code: SpanStatusCode.ERROR })
  }

  end(): void {
    this.#span.end()
  }
}
