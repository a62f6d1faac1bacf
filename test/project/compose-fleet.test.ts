import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { z } from 'zod'
import { loadConfig } from '../../src/config.js'
import { MAX_BODY_BYTES } from '../../src/protocol/api.js'

/** deploy/compose/fleet.yml and the files beside it, against the code and each other. */

const FOLDER = 'deploy/compose'
const REPLICAS = ['chat-1', 'chat-2', 'chat-3'] as const

const serviceSchema = z.object({
  image: z.string(),
  build: z.string().optional(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  networks: z.record(z.string(), z.object({ aliases: z.array(z.string()) })).default({}),
  volumes: z.array(z.string()).default([]),
  stop_grace_period: z.string().optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
})
const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8')
const { services, volumes } = z
  .object({ services: z.record(z.string(), serviceSchema), volumes: z.record(z.string(), z.unknown()) })
  .parse(parse(read('fleet.yml'), { merge: true }))

const service = (name: string): z.infer<typeof serviceSchema> => {
  const found = services[name]
  if (found === undefined) throw new Error(`no service ${name}`)
  return found
}

function configOf(name: string) {
  const given = Object.entries(service(name).environment).map(([variable, value]): [string, string] => [
    variable,
    value.replace(/\$\{\w+:\?\}/, 'word').replace(/^\$\{\w+:-(.*)\}$/, '$1'),
  ])
  return loadConfig({
    ...Object.fromEntries(given),
    LLM_BASE_URL: 'http://llm:8001/v1',
    JWT_SECRET: 's'.repeat(32),
  })
}

describe('deploy/compose/fleet.yml', () => {
  it('pins every image, and mounts files there are', () => {
    for (const [name, { image, build, volumes: mounts }] of Object.entries(services)) {
      if (build === undefined) expect(image, name).to.match(/:v?\d+\.\d+(\.\d+)?$/)
      else expect(existsSync(join(FOLDER, build, 'Dockerfile'))).to.equal(true)
      for (const mount of mounts) {
        const [from = ''] = mount.split(':')
        if (from.startsWith('.')) expect(existsSync(join(FOLDER, from)), mount).to.equal(true)
        else expect(Object.keys(volumes)).to.include(from)
      }
    }
    expect(service('flagd').image).to.equal('ghcr.io/open-feature/flagd:v0.16.1')
  })

  for (const name of REPLICAS)
    it(`sets only variables the service reads, to values it accepts, in ${name}`, () => {
      const known = readFileSync('.env.example', 'utf8')
      const { environment, read_only: isReadOnly, cap_drop: dropped } = service(name)
      for (const variable of Object.keys(environment)) expect(known).to.contain(`\n${variable}=`)
      const config = configOf(name)
      expect(config.replica).to.equal(name)
      expect(config.host).to.equal('0.0.0.0')
      expect(config.flags.store?.kind).to.equal('postgres')
      expect(new URL(config.database).hostname).to.be.oneOf(Object.keys(services))
      expect(new URL(environment.CHAT_REDIS_URL ?? '').hostname).to.be.oneOf(Object.keys(services))
      expect([isReadOnly, dropped]).to.deep.equal([true, ['ALL']])
      const grace = Number(service(name).stop_grace_period?.replace('s', '')) * 1000
      expect(grace).to.be.at.least(config.lameduckMs + config.drainMs + 5000)
    })

  it('asks PostgreSQL for fewer connections than it allows by default', () => {
    const all = REPLICAS.reduce((sum, name) => sum + configOf(name).databaseLimits.poolSize + 3, 0)
    expect(all).to.be.below(97)
  })

  it('gives flagd the flags of any replica', () => {
    const [uri = '', port = ''] = z
      .tuple([z.strictObject({ uri: z.string(), provider: z.literal('grpc') })])
      .parse(JSON.parse(service('flagd').command.at(-1) ?? ''))[0]
      .uri.split(':')
    for (const name of REPLICAS) {
      expect(configOf(name).flags.sourcePort).to.equal(Number(port))
      expect(service(name).networks.default?.aliases).to.deep.equal([uri])
    }
  })

  it('sends spans to where the collector takes them', () => {
    const { receivers } = z
      .object({
        receivers: z.object({
          otlp: z.object({ protocols: z.object({ http: z.object({ endpoint: z.string() }) }) }),
        }),
      })
      .parse(parse(read('otel-collector.yml')))
    const { hostname, port } = new URL(configOf('chat-1').tracing?.url ?? '')
    expect(hostname).to.equal('otel-collector')
    expect(receivers.otlp.protocols.http.endpoint.split(':')[1]).to.equal(port)
  })

  it('has Prometheus ask each replica, and Grafana ask Prometheus', () => {
    const { rule_files: rules, scrape_configs: jobs } = z
      .object({
        rule_files: z.array(z.string()),
        scrape_configs: z.tuple([
          z.object({ static_configs: z.tuple([z.object({ targets: z.array(z.string()) })]) }),
        ]),
      })
      .parse(parse(read('prometheus.yml')))
    expect(jobs[0].static_configs[0].targets).to.deep.equal(
      REPLICAS.map((name) => `${name}:${configOf(name).port}`),
    )
    const mounted = service('prometheus').volumes.map((mount) => mount.split(':')[1])
    for (const file of rules) expect(mounted).to.include(`/etc/prometheus/${file}`)
    const { datasources } = z
      .object({ datasources: z.tuple([z.object({ url: z.string() })]) })
      .parse(parse(read('grafana/datasources.yml')))
    expect(new URL(datasources[0].url).hostname).to.be.oneOf(Object.keys(services))
    const { providers } = z
      .object({ providers: z.tuple([z.object({ options: z.object({ path: z.string() }) })]) })
      .parse(parse(read('grafana/dashboards.yml')))
    expect(service('grafana').volumes).to.include(`../grafana:${providers[0].options.path}:ro`)
  })

  it('has nginx pass streams on to each replica at once, and bodies as large as the service takes', () => {
    const text = read('nginx.conf')
    const upstreams = [...text.matchAll(/^ +server ([\w-]+:\d+) resolve /gm)].map(([, address]) => address)
    expect(upstreams).to.deep.equal(REPLICAS.map((name) => `${name}:${configOf(name).port}`))
    expect(text).to.match(/^ +proxy_buffering off;$/m)
    const mebibytes = Number(/client_max_body_size (\d+)m;/.exec(text)?.[1])
    expect(mebibytes * 1024 * 1024).to.be.at.least(MAX_BODY_BYTES)
    // An answer in one piece comes at its end.
    const [, wholeSeconds] =
      /location = \/v1\/chat\/completions \{[^}]*proxy_read_timeout (\d+)s;/.exec(text) ?? []
    const [name] = REPLICAS
    expect(Number(wholeSeconds) * 1000).to.be.above(configOf(name).codeDefaults.totalMs)
  })
})
