import { errorText } from '../errors.js'
import { type SpanExport, type SpanExportDeps, startSpanExport } from './span-export.js'
import { NO_TRACING, registeredProvider, type Tracing, tracingBy } from './tracing.js'
import type { TracingSettings } from './tracing-settings.js'

/** Tracing of the process; nothing is exported before `start`. */
export interface OpenedTracing extends Tracing {
  /** Never rejects: a service without traces is better than none. */
  start(): Promise<void>
  /** Sends the last spans, within `ms`. Never rejects. */
  stop(ms: number): Promise<void>
}

/**
 * @param settings absent: nothing is exported. A provider that was registered before the service (`node --import`) gets the
 * spans in any case, and then nothing else does.
 */
export function openTracing(settings: TracingSettings | undefined, deps: SpanExportDeps): OpenedTracing {
  const registered = registeredProvider()
  let current = registered === undefined ? NO_TRACING : tracingBy(registered)
  let exporting: SpanExport | undefined
  return {
    begin: (name, options, from) => current.begin(name, options, from),
    async start() {
      if (settings === undefined || registered !== undefined) return
      try {
        exporting = await startSpanExport(settings, deps)
        current = tracingBy(exporting.provider)
      } catch (thrown) {
        deps.logger.error({ error: errorText(thrown) }, '[Traces] spans cannot be exported')
      }
    },
    stop: async (ms) => exporting?.stop(ms),
  }
}
