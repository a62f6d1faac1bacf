import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { parse } from 'yaml'
import { z } from 'zod'
import { loadConfig } from '../../src/config.js'
import { EDGE_TIMING } from '../../src/http/app-deps.js'
import { SERVER_TIMING } from '../../src/http/edge/http-server.js'
import { OPENAI_PREFIX } from '../../src/protocol/openai.js'

/** deploy/envoy/envoy.yaml against the code: routes, ports, and times of the service and of Envoy. Names are Envoy's. */

const seconds = z
  .string()
  .regex(/^\d+s$/)
  .transform((text) => Number(text.slice(0, -1)) * 1000)
const address = z.object({ socket_address: z.object({ address: z.string(), port_value: z.number() }) })

const routeSchema = z.strictObject({
  match: z.strictObject({ path: z.string().optional(), prefix: z.string().optional() }),
  direct_response: z.strictObject({ status: z.number() }).optional(),
  route: z
    .strictObject({
      cluster: z.literal('chat'),
      timeout: seconds,
      idle_timeout: seconds,
    })
    .optional(),
})

const hostSchema = z.strictObject({
  name: z.literal('chat'),
  domains: z.tuple([z.literal('*')]),
  routes: z.array(routeSchema),
  retry_policy: z.looseObject({ retry_on: z.string(), num_retries: z.number() }),
})

const managerSchema = z.looseObject({
  request_headers_timeout: seconds,
  request_timeout: seconds,
  stream_idle_timeout: seconds,
  http_filters: z.array(z.looseObject({ name: z.string() })),
  route_config: z.object({ virtual_hosts: z.tuple([hostSchema]) }),
})

const clusterSchema = z.looseObject({
  name: z.literal('chat'),
  close_connections_on_host_health_failure: z.boolean(),
  typed_extension_protocol_options: z.record(
    z.string(),
    z.looseObject({
      common_http_protocol_options: z.object({ idle_timeout: seconds }),
      explicit_http_config: z.strictObject({ http_protocol_options: z.strictObject({}) }),
    }),
  ),
  circuit_breakers: z.object({
    thresholds: z.tuple([z.looseObject({ max_connections: z.number(), max_requests: z.number() })]),
  }),
  health_checks: z.tuple([
    z.looseObject({
      interval: seconds,
      no_traffic_interval: seconds,
      unhealthy_threshold: z.number(),
      http_health_check: z.strictObject({ path: z.string() }),
    }),
  ]),
  load_assignment: z.object({
    endpoints: z.tuple([z.object({ lb_endpoints: z.array(z.object({ endpoint: z.object({ address }) })) })]),
  }),
})

const envoySchema = z.object({
  admin: z.object({ address }),
  static_resources: z.object({
    listeners: z.tuple([
      z.object({
        filter_chains: z.tuple([z.object({ filters: z.tuple([z.object({ typed_config: managerSchema })]) })]),
      }),
    ]),
    clusters: z.tuple([clusterSchema]),
  }),
})

describe('deploy/envoy/envoy.yaml', () => {
  const { admin, static_resources: resources } = envoySchema.parse(
    parse(readFileSync('deploy/envoy/envoy.yaml', 'utf8')),
  )
  const manager = resources.listeners[0].filter_chains[0].filters[0].typed_config
  const [{ routes, retry_policy: retries }] = manager.route_config.virtual_hosts
  const [cluster] = resources.clusters
  const replicas = cluster.load_assignment.endpoints[0].lb_endpoints
  const config = loadConfig({ LLM_BASE_URL: 'http://llm:8001/v1', JWT_SECRET: 's'.repeat(32) })

  it('ends no stream that lives: no time for the whole, and more than two heartbeats without a byte', () => {
    expect(manager.stream_idle_timeout).to.be.above(2 * EDGE_TIMING.heartbeatMs)
    for (const { route } of routes)
      if (route !== undefined) {
        expect(route.timeout).to.equal(0)
        expect(route.idle_timeout).to.be.above(2 * EDGE_TIMING.heartbeatMs)
      }
    expect(manager.request_timeout).to.be.above(EDGE_TIMING.bodyMs)
    expect(manager.request_headers_timeout).to.be.at.most(SERVER_TIMING.headersMs)
  })

  it('holds no body back', () => {
    expect(manager.http_filters.map(({ name }) => name)).to.deep.equal(['envoy.filters.http.router'])
  })

  it('sends again only where nothing was sent, and to each replica at most once', () => {
    expect(retries.retry_on).to.equal('connect-failure')
    expect(retries.num_retries).to.equal(replicas.length - 1)
  })

  it('waits for an answer in one piece as long as a turn may take', () => {
    const whole = routes.find(({ match }) => match.path === `${OPENAI_PREFIX}/chat/completions`)
    expect(whole?.route?.idle_timeout).to.be.above(config.codeDefaults.totalMs)
  })

  it('routes everything to the service but what is for the inside', () => {
    const [metrics, whole, ...others] = routes
    expect([metrics?.match.path, metrics?.direct_response?.status]).to.deep.equal(['/metrics', 404])
    expect(readFileSync('src/http/health-routes.ts', 'utf8')).to.contain("router.get('/metrics'")
    expect([whole?.match.prefix, whole?.route?.cluster]).to.deep.equal([undefined, 'chat'])
    expect(others.map(({ match, route }) => [match.prefix, route?.cluster])).to.deep.equal([['/', 'chat']])
    expect(admin.address.socket_address.address).to.equal('127.0.0.1')
  })

  it('asks the replicas of the fleet for their readiness, on the port they listen on', () => {
    const [check] = cluster.health_checks
    expect(readFileSync('src/http/health-routes.ts', 'utf8')).to.contain(
      `router.get('${check.http_health_check.path}'`,
    )
    expect(check.http_health_check.path).to.equal('/health/ready')
    expect(check.no_traffic_interval).to.equal(check.interval)
    // It notices within the lame duck of a replica, and lets that one's streams run to their end.
    expect(check.interval * (check.unhealthy_threshold + 1)).to.be.below(config.lameduckMs)
    expect(cluster.close_connections_on_host_health_failure).to.equal(false)
    const ends = replicas.map(({ endpoint }) => endpoint.address.socket_address)
    expect(new Set(ends.map(({ port_value }) => port_value))).to.deep.equal(new Set([config.port]))
    const fleet = readFileSync('deploy/compose/fleet.yml', 'utf8')
    for (const each of ends) expect(fleet).to.match(new RegExp(`^ +${each.address}:$`, 'm'))
  })

  it('closes idle connections before the service does, and has room for all its streams', () => {
    const [options] = Object.values(cluster.typed_extension_protocol_options)
    expect(options?.common_http_protocol_options.idle_timeout).to.be.below(SERVER_TIMING.keepAliveMs)
    const [limits] = cluster.circuit_breakers.thresholds
    const streams = config.maxStreams * replicas.length
    expect(limits.max_connections).to.be.at.least(streams)
    expect(limits.max_requests).to.be.at.least(streams)
  })
})
