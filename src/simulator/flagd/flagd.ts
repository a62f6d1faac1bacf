import { Server, ServerCredentials } from '@grpc/grpc-js'
import { type Clock, systemClock } from '../../core/clock.js'
import { type Logger, silentLogger } from '../../core/logger.js'
import { FlagdControl } from './flagd-control.js'
import { type FlagdFaults, type FlagdFaultsInput, flagdFaultsSchema, NO_FAULTS } from './flagd-faults.js'
import { FlagFiles } from './flagd-files.js'
import { FlagdGate, type GateMode } from './flagd-gate.js'
import { evaluationService, syncService } from './flagd-proto.js'
import { FlagdService } from './flagd-service.js'
import { parseSource } from './flagd-source.js'
import { FlagdStore } from './flagd-store.js'

// flagd's own interval on an event stream
const KEEP_ALIVE_MS = 20_000
// flagd's own least time between two pings (`--keep-alive-min-time`)
const MIN_PING_MS = 30_000

export interface FlagdSimulatorOptions {
  /** flag files in rising priority; each must exist */
  readonly files: readonly string[]
  /** 127.0.0.1 when left out */
  readonly host?: string
  /** gRPC, both services; 0 or left out: a free one */
  readonly port?: number
  /** HTTP: `/_faults`, `/healthz`, `/readyz`; 0 or left out: a free one */
  readonly controlPort?: number
  /** silent when left out; never told what a flag says */
  readonly logger?: Logger
  readonly clock?: Clock
  /** milliseconds between two `keep_alive` events */
  readonly keepAliveMs?: number
  /** least milliseconds between two pings of one connection: the third that comes sooner ends it; flagd's own when left out */
  readonly minPingMs?: number
}

export interface FlagdSimulator {
  /** for `FLAGD_PORT` (rpc) and `FLAGD_SYNC_PORT` (in-process) alike */
  readonly port: number
  readonly controlPort: number
  /** of the control port, for `PUT /_faults` */
  readonly url: string
  readonly faults: {
    get(): FlagdFaults
    /** replaces all faults: what is left out is off */
    set(faults: FlagdFaultsInput): void
  }
  /** HTTP/2 pings of clients since the start, and connections ended because they were too many */
  pings(): { readonly pings: number; readonly cutOff: number }
  /** As a kill does: connections break, streams end with UNAVAILABLE, ports and watches are free. Idempotent. */
  close(): Promise<void>
}

/**
 * A stand-in for the flagd daemon, good for both resolvers of `@openfeature/flagd-provider`, from the same flag files.
 * Both services share one port, so flagd's rule about pings on its sync service holds for rpc here too.
 * Rejects when a file is missing or a port is taken. What it does with broken files: flagd-source.ts.
 */
export async function startFlagdSimulator(options: FlagdSimulatorOptions): Promise<FlagdSimulator> {
  const { host = '127.0.0.1', logger = silentLogger, clock = systemClock } = options
  const store = new FlagdStore(options.files)
  const service = new FlagdService(store, clock, options.keepAliveMs ?? KEEP_ALIVE_MS)
  const files = new FlagFiles(options.files, clock, (file, text) => {
    const content = parseSource(text)
    if (!content.accepted) {
      logger.warn({ file, reason: content.reason }, 'flag file refused, its old flags stay')
      return
    }
    const changes = store.update(file, content.flags)
    logger.info({ file, flags: content.flags.size, changed: [...changes.keys()] }, 'flag file read')
    service.flagsChanged(changes)
  })
  const server = new Server()
  server.addService(evaluationService, service.evaluation)
  server.addService(syncService, service.sync)
  let gate: FlagdGate | undefined
  let faults = NO_FAULTS
  const faultSwitch = {
    get: () => faults,
    set: (next: FlagdFaultsInput) => {
      faults = flagdFaultsSchema.parse(next)
      gate?.setMode(gateMode(faults))
      service.setFaults(faults)
      files.setDeaf(faults.dropWatch)
    },
  }
  const control = new FlagdControl(faultSwitch)
  const close = async () => {
    files.close()
    service.close()
    await Promise.all([gate?.close(), control.close()])
    server.forceShutdown()
  }
  try {
    files.start()
    const opened = new FlagdGate(await bindInside(server), options.minPingMs ?? MIN_PING_MS, clock)
    gate = opened
    const port = await opened.listen(options.port ?? 0, host)
    const controlPort = await control.listen(options.controlPort ?? 0, host)
    const url = `http://${host}:${controlPort}`
    return { port, controlPort, url, faults: faultSwitch, pings: () => opened.counts, close }
  } catch (error) {
    await close()
    throw error
  }
}

function gateMode({ refuse, hang }: FlagdFaults): GateMode {
  if (refuse) return 'refusing'
  return hang ? 'frozen' : 'open'
}

/** Binds the gRPC server to a free port that only the gate talks to. */
function bindInside(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port)
      else reject(error)
    })
  })
}
