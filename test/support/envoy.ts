import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from 'mocha'
import { freePort } from './free-port.js'
import { requireProgram, startProgram } from './owned-program.js'
import { until } from './until.js'

const BINARY = process.env.ENVOY_BIN ?? 'envoy'

/** A real Envoy with deploy/envoy/envoy.yaml; only its addresses and ports are others. */
export interface TestEnvoy {
  readonly port: number
  /** what its health checks say of each replica, by port; undefined: not asked yet */
  health(): Promise<ReadonlyMap<number, boolean>>
  stop(): Promise<void>
}

/** Skips the suite where there is no Envoy, even where all engines are required: no package of Debian has one. For `before`. */
export function requireEnvoy(context: Context): void {
  requireProgram(context, BINARY, 'Envoy in ENVOY_BIN or on the PATH')
}

/**
 * @param replicas ports on this machine, in the place of chat-1, chat-2 and chat-3
 * @param directory where the configuration is written
 */
export async function startEnvoy(replicas: readonly number[], directory: string): Promise<TestEnvoy> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const file = join(directory, 'envoy.yaml')
  writeFileSync(file, configuration({ port, adminPort, replicas }))
  const envoy = startProgram(BINARY, [
    '-c',
    file,
    '--disable-hot-restart',
    '--concurrency',
    '1',
    '-l',
    'warn',
  ])
  const admin = (path: string) => fetch(`http://127.0.0.1:${adminPort}${path}`).catch(() => undefined)
  await until('Envoy', async () => {
    envoy.expectRunning()
    return (await admin('/ready'))?.status === 200
  })
  return {
    port,
    async health() {
      const text = (await (await admin('/clusters'))?.text()) ?? ''
      const hosts = [...text.matchAll(/^chat::127\.0\.0\.1:(\d+)::health_flags::(.*)$/gm)]
      return new Map(hosts.map(([, host, flags]) => [Number(host), flags === 'healthy']))
    },
    stop: () => envoy.stop('SIGTERM'),
  }
}

/** @throws where a place to be replaced is missing or left over */
function configuration(places: { port: number; adminPort: number; replicas: readonly number[] }): string {
  const left = [...places.replicas]
  const text = readFileSync('deploy/envoy/envoy.yaml', 'utf8')
    .replace('port_value: 9901', `port_value: ${places.adminPort}`)
    .replace('address: 0.0.0.0, port_value: 8080', `address: 127.0.0.1, port_value: ${places.port}`)
    .replaceAll(/^ +- endpoint: .* chat-\d, .*\n/gm, (line) => {
      const replica = left.shift()
      return replica === undefined
        ? ''
        : line.replace(/address: chat-\d, port_value: 3001/, `address: 127.0.0.1, port_value: ${replica}`)
    })
  if (left.length > 0 || /0\.0\.0\.0|: 9901\b|: 3001\b/.test(text))
    throw new Error('deploy/envoy/envoy.yaml has other places than the test replaces')
  return text
}
