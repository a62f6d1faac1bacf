import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { parse } from 'yaml'
import { z } from 'zod'
import { loadConfig } from '../../src/config.js'

const serviceSchema = z.object({
  image: z.string().optional(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  profiles: z.array(z.string()).default([]),
  healthcheck: z.unknown().optional(),
  stop_grace_period: z.string().optional(),
})
const composeSchema = z.object({
  services: z.object({
    flagd: serviceSchema,
    chat: serviceSchema,
    llm: serviceSchema,
    runtime: serviceSchema,
  }),
  volumes: z.record(z.string(), z.unknown()),
})

const { services, volumes } = composeSchema.parse(parse(readFileSync('docker-compose.yml', 'utf8')))

/** The folder a file lies in for a service: the container's side of its mounts. */
const mounts = (service: z.infer<typeof serviceSchema>): string[] =>
  service.volumes.map((volume) => volume.split(':')[1] ?? '')

describe('docker-compose.yml', () => {
  it('gives flagd both flag files from a mounted directory, watched by fsnotify', () => {
    const sources = z
      .array(z.strictObject({ uri: z.string(), provider: z.literal('fsnotify') }))
      .parse(JSON.parse(services.flagd.command?.at(-1) ?? ''))
    expect(sources.map((source) => source.uri)).to.deep.equal([
      '/flags/chat.flagd.json',
      '/flags/auto-fallback.flagd.json',
    ])
    expect(mounts(services.flagd)).to.deep.equal(['/flags'])
    for (const { uri } of sources) expect(existsSync(`flags/${uri.split('/').at(-1)}`)).to.equal(true)
    expect(services.flagd.image).to.equal('ghcr.io/open-feature/flagd:v0.16.1')
    expect(services.flagd.healthcheck).to.equal(undefined)
  })

  it('sets only variables the service reads, to values it accepts', () => {
    const known = readFileSync('.env.example', 'utf8')
    const { environment } = services.chat
    for (const name of Object.keys(environment)) expect(known).to.contain(`\n${name}=`)
    const given = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        value.replace(/^\$\{\w+(?::-(.*))?.*\}$/, '$1'),
      ]),
    )
    const config = loadConfig({ ...given, LLM_BASE_URL: 'http://llm:8001/v1', JWT_SECRET: 's'.repeat(32) })
    expect(config.flags).to.deep.include({ resolver: 'in-process', opsFile: '/flags/chat.flagd.json' })
    expect(config.flags.flagd).to.deep.equal({ host: 'flagd', port: 8015, tls: false })
    expect(services.flagd.ports).to.contain('127.0.0.1:8015:8015')
    expect(services.chat.ports).to.deep.equal([`127.0.0.1:${config.port}:${config.port}`])
  })

  it('keeps flags and conversations where the service can write', () => {
    const { environment } = services.chat
    const folders = mounts(services.chat)
    for (const file of [
      environment.CHAT_FLAGS_FILE,
      environment.CHAT_FALLBACK_FLAGS_FILE,
      environment.CHAT_DATABASE,
    ])
      expect(folders.some((folder) => file?.startsWith(`${folder}/`))).to.equal(true)
    expect(Object.keys(volumes)).to.deep.equal(['chat-data'])
  })

  it('waits longer for the end than the service drains', () => {
    const grace = Number(services.chat.stop_grace_period?.replace('s', '')) * 1000
    const { CHAT_LAMEDUCK_MS, CHAT_DRAIN_MS } = services.chat.environment
    expect(grace).to.be.greaterThan(Number(CHAT_LAMEDUCK_MS) + Number(CHAT_DRAIN_MS) + 2000)
  })

  it('runs the simulators only in their profile, by commands that exist', () => {
    for (const name of ['llm', 'runtime'] as const) {
      const service = services[name]
      expect(service.profiles).to.deep.equal(['simulators'])
      const [node, script, kind] = service.command ?? []
      expect([node, kind]).to.deep.equal(['node', name])
      expect(existsSync((script ?? '').replace(/^dist/, 'src').replace(/\.js$/, '.ts'))).to.equal(true)
    }
  })
})

describe('Dockerfile', () => {
  const lines = readFileSync('Dockerfile', 'utf8').split('\n')

  it('runs as a user without rights and checks its health by Node', () => {
    expect(lines).to.contain('USER 1000:1000')
    expect(lines.join('\n')).to.match(/HEALTHCHECK[^\n]*\\\n {2}CMD \["node", "dist\/cli\/healthcheck\.js"\]/)
    expect(existsSync('src/cli/healthcheck.ts')).to.equal(true)
  })

  it('copies only what the build context lets in', () => {
    const allowed = readFileSync('.dockerignore', 'utf8')
    const copied = lines
      .filter((line) => /^COPY (?!--from)/.test(line))
      .flatMap((line) => line.split(' ').slice(1, -1))
    for (const path of copied) {
      expect(existsSync(path), path).to.equal(true)
      expect(allowed).to.contain(`!${path}`)
    }
  })
})
