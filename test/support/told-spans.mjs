// Loaded into a service before its own code, as an OpenTelemetry distribution is: writes each span as a line of a file.
import { appendFileSync } from 'node:fs'
import { trace } from '@opentelemetry/api'
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'

const exporter = {
  export(spans, done) {
    for (const { name, attributes } of spans)
      appendFileSync(process.env.SPANS_FILE, `${JSON.stringify({ name, attributes })}\n`)
    done({ code: 0 })
  },
  shutdown: async () => undefined,
}
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
)
