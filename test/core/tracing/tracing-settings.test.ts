import { expect } from 'chai'
import { readTracingSettings } from '../../../src/core/tracing/tracing-settings.js'

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }

describe('where spans go', () => {
  const settingsOf = (env: Record<string, string>) => readTracingSettings(env).settings

  it('is nowhere without an endpoint, and where the export is switched off', () => {
    expect(settingsOf({ OTEL_SERVICE_NAME: 'chat' })).to.equal(undefined)
    expect(settingsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' })).to.equal(undefined)
    expect(settingsOf({ ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE' })).to.equal(undefined)
    expect(settingsOf({ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' })).to.equal(undefined)
    expect(settingsOf({ ...ENDPOINT, OTEL_SDK_DISABLED: 'no' })).to.not.equal(undefined)
  })

  it('is the path of traces below the shared endpoint, or the endpoint of traces as it is', () => {
    expect(settingsOf(ENDPOINT)).to.deep.equal({
      url: 'http://collector:4318/v1/traces',
      protocol: 'http/protobuf',
      serviceName: 'chat-cutover',
      queueSize: 2_048,
    })
    const own = { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.example/in?key=1' }
    expect(settingsOf(own)?.url).to.equal('https://traces.example/in?key=1')
  })

  it('takes name and protocol, those of traces before the shared ones', () => {
    const env = {
      ...ENDPOINT,
      OTEL_SERVICE_NAME: 'chat',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
    }
    expect(settingsOf(env)).to.include({ serviceName: 'chat', protocol: 'http/json' })
  })

  it('has the queue that OpenTelemetry’s variable gives it, if that is a number of spans', () => {
    const queueOf = (size: string) => settingsOf({ ...ENDPOINT, OTEL_BSP_MAX_QUEUE_SIZE: size })?.queueSize
    expect(queueOf('16')).to.equal(16)
    for (const wrong of ['', 'many', '0', '-5', '1.5']) expect(queueOf(wrong), wrong).to.equal(2_048)
  })

  it('is a fault where it cannot be used, and none of an export that is off', () => {
    const wrong = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_TRACES_EXPORTER: 'zipkin',
    }
    const { faults, settings } = readTracingSettings(wrong)
    expect(settings).to.equal(undefined)
    expect(faults.map(({ en }) => en.split(/[ =]/)[0])).to.deep.equal([
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'OTEL_TRACES_EXPORTER',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
    ])
    expect(readTracingSettings({ ...wrong, OTEL_SDK_DISABLED: 'true' }).faults).to.deep.equal([])
  })
})
