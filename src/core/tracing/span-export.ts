import { DiagLogLevel, diag, type TracerProvider } from '@opentelemetry/api'
import type { SpanExporter } from '@opentelemetry/sdk-trace-base'
import { bounded } from '../bounded.js'
import type { Clock } from '../clock.js'
import { errorCode, errorText } from '../errors.js'
import type { Logger } from '../logger.js'
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
  { url, protocol, serviceName }: TracingSettings,
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
  try {
    const provider = new sdk.BasicTracerProvider({
      resource: resourceFromAttributes({ 'service.name': serviceName, 'service.instance.id': replica }).merge(
        detectResources({ detectors: [envDetector] }),
      ),
      spanProcessors: [new sdk.BatchSpanProcessor(telling(new OTLPTraceExporter({ url }), logger))],
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

/** Says once that the collector takes nothing, and once that it does again. */
function telling(inner: SpanExporter, logger: Logger): SpanExporter {
  let fails = false
  return {
    export(spans, done) {
      inner.export(spans, (result) => {
        if ((result.code !== TAKEN) !== fails) {
          fails = !fails
          if (fails)
            logger.warn(
              { code: errorCode(result.error), spans: spans.length },
              '[Traces] the collector takes no spans; they are dropped until it does',
            )
          else logger.info('[Traces] the collector takes spans again')
        }
        done(result)
      })
    },
    shutdown: () => inner.shutdown(),
    ...(inner.forceFlush === undefined
      ? {}
      : { forceFlush: () => inner.forceFlush?.() ?? Promise.resolve() }),
  }
}
