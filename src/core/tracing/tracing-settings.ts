import type { Bilingual } from '../bilingual.js'

/** Where spans go. */
export interface TracingSettings {
  /** of OTLP's traces, with its path */
  readonly url: string
  readonly protocol: TracingProtocol
  /** `service.name` */
  readonly serviceName: string
  /** OTEL_BSP_MAX_QUEUE_SIZE: spans that may wait for the export */
  readonly queueSize: number
}

export const TRACING_PROTOCOLS = ['http/protobuf', 'http/json'] as const
export type TracingProtocol = (typeof TRACING_PROTOCOLS)[number]

const DEFAULT_SERVICE_NAME = 'chat-cutover'
/** spans; OpenTelemetry's own default */
const DEFAULT_QUEUE_SIZE = 2_048

/**
 * OpenTelemetry's own variables, as far as they decide whether spans are exported and where to; the SDK reads the others itself. An
 * empty variable counts as not set, and one of a switched-off export is not looked at.
 */
export function readTracingSettings(env: Readonly<Record<string, string | undefined>>): {
  /** absent: no spans are exported */
  readonly settings?: TracingSettings
  readonly faults: readonly Bilingual[]
} {
  const value = (name: string): string | undefined => env[name]?.trim() || undefined
  const own = value('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT')
  const shared = value('OTEL_EXPORTER_OTLP_ENDPOINT')
  const isOff =
    value('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || value('OTEL_TRACES_EXPORTER') === 'none'
  if (isOff || (own === undefined && shared === undefined)) return { faults: [] }

  const faults: Bilingual[] = []
  const protocol =
    value('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ??
    value('OTEL_EXPORTER_OTLP_PROTOCOL') ??
    TRACING_PROTOCOLS[0]
  const known = TRACING_PROTOCOLS.find((one) => one === protocol)
  if (known === undefined)
    faults.push({
      en: `OTEL_EXPORTER_OTLP_PROTOCOL=${protocol} must be one of ${TRACING_PROTOCOLS.join(', ')} (a collector takes them on port 4318)`,
      'zh-CN': `OTEL_EXPORTER_OTLP_PROTOCOL=${protocol} 必须是以下值之一：${TRACING_PROTOCOLS.join(', ')}（collector 在 4318 端口接收）`,
    })
  const exporter = value('OTEL_TRACES_EXPORTER') ?? 'otlp'
  if (exporter !== 'otlp')
    faults.push({
      en: `OTEL_TRACES_EXPORTER=${exporter} must be one of otlp, none`,
      'zh-CN': `OTEL_TRACES_EXPORTER=${exporter} 必须是以下值之一：otlp, none`,
    })
  const url = own ?? `${shared?.replace(/\/+$/, '')}/v1/traces`
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    const name = own === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'
    faults.push({
      en: `${name} must be an http or https URL`,
      'zh-CN': `${name} 必须是 http 或 https URL`,
    })
  }
  if (known === undefined || faults.length > 0) return { faults }
  return {
    settings: {
      url,
      protocol: known,
      serviceName: value('OTEL_SERVICE_NAME') ?? DEFAULT_SERVICE_NAME,
      queueSize: queueSizeOf(value('OTEL_BSP_MAX_QUEUE_SIZE')),
    },
    faults,
  }
}

/** As OpenTelemetry asks for: what cannot be used counts as not set. */
function queueSizeOf(text: string | undefined): number {
  const size = Number(text)
  return Number.isInteger(size) && size > 0 ? size : DEFAULT_QUEUE_SIZE
}
