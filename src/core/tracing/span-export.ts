import { DiagLogLevel, diag, TraceFlags, type TracerProvider } from '@opentelemetry/api'
import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace-base'
import { bounded } from '../bounded.js'
import type { Clock } from '../clock.js'
import { errorText } from '../errors.js'
import type { Logger } from '../logger.js'
import { ExportReports } from './export-reports.js'
import type { TracingSettings } from './tracing-settings.js'

/** The SDK at work. */
export interface SpanExport {
  readonly provider: TracerProvider
  /** Sends what waits, within `ms`; what the collector does not take by then is lost. Never rejects. */
  stop(ms: number): Promise<void>
}

export interface SpanExportDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** `service.instance.id` */
  readonly replica: string
}

/** OTLP's answer for a batch that was taken. */
const TAKEN = 0

/**
 * Loads the SDK, which is a cost only of those who export, and sends spans to a collector in the background: a bounded queue
 * (`OTEL_BSP_*`, 2,048 spans), and what a collector does not take is dropped.
 */
export async function startSpanExport(
  { url, protocol, serviceName, queueSize }: TracingSettings,
  { clock, logger, replica }: SpanExportDeps,
): Promise<SpanExport> {
  const [sdk, { resourceFromAttributes, detectResources, envDetector }, { OTLPTraceExporter }] =
    await Promise.all([
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/resources'),
      protocol === 'http/json'
        ? import('@opentelemetry/exporter-trace-otlp-http')
        : import('@opentelemetry/exporter-trace-otlp-proto'),
    ])
  // What the SDK says of its variables; a batch that was not taken is told below, once.
  const warn = (text: string): void => logger.warn(`[Traces] ${text}`)
  const none = (): void => undefined
  diag.setLogger({ error: warn, warn, info: none, debug: none, verbose: none }, DiagLogLevel.WARN)
  const reports = new ExportReports(queueSize, clock, logger)
  try {
    const provider = new sdk.BasicTracerProvider({
      resource: resourceFromAttributes({ 'service.name': serviceName, 'service.instance.id': replica }).merge(
        detectResources({ detectors: [envDetector] }),
      ),
      spanProcessors: [
        reported(
          new sdk.BatchSpanProcessor(telling(new OTLPTraceExporter({ url }), reports), {
            maxQueueSize: queueSize,
          }),
          reports,
        ),
      ],
    })
    return {
      provider,
      async stop(ms) {
        const stopped = provider.shutdown().then(
          () => 'ended' as const,
          (thrown: unknown) => errorText(thrown),
        )
        const end = await bounded(stopped, ms, clock)
        if (end === 'late') logger.warn('[Traces] the last spans were not taken in time and are lost')
      },
    }
  } finally {
    diag.disable()
  }
}

/** The SDK's processor with its queue, and what the log says of it. */
function reported(inner: SpanProcessor, reports: ExportReports): SpanProcessor {
  return {
    onStart: (span, context) => inner.onStart(span, context),
    onEnd(span) {
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0) reports.offered()
      inner.onEnd(span)
    },
    forceFlush: () => inner.forceFlush(),
    shutdown: () => inner.shutdown(),
  }
}

function telling(inner: SpanExporter, reports: ExportReports): SpanExporter {
  return {
    export(spans, done) {
      const batch = reports.left(spans.length)
      inner.export(spans, (result) => {
        if (result.code === TAKEN) reports.taken(batch)
        else reports.refused(batch, spans.length, result.error)
        done(result)
      })
    },
    shutdown: () => inner.shutdown(),
    ...(inner.forceFlush === undefined
      ? {}
      : { forceFlush: () => inner.forceFlush?.() ?? Promise.resolve() }),
  }
}
