import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { type Tracing, tracingBy } from '../../src/core/tracing/tracing.js'

/** Tracing whose spans stay here. */
export function spansInMemory(): { readonly tracing: Tracing; finished(): ReadableSpan[] } {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  return { tracing: tracingBy(provider), finished: () => exporter.getFinishedSpans() }
}

/** Names of the spans, each with those below it in the order they began. */
export interface SpanTree {
  readonly [name: string]: SpanTree
}

/** The spans of a trace as a tree from those that have no parent among them. */
export function spanTree(spans: readonly ReadableSpan[]): SpanTree {
  const ids = new Set(spans.map((span) => span.spanContext().spanId))
  const below = (parentId: string | undefined): SpanTree =>
    Object.fromEntries(
      spans
        .filter(({ parentSpanContext }) =>
          parentId === undefined
            ? !ids.has(parentSpanContext?.spanId ?? '')
            : parentSpanContext?.spanId === parentId,
        )
        .map((span) => [span.name, below(span.spanContext().spanId)]),
    )
  return below(undefined)
}
