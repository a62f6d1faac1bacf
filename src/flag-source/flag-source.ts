import { isIPv6 } from 'node:net'
import {
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { bounded } from '../core/bounded.js'
import { type Clock, scheduleAwaited } from '../core/clock.js'
import { endCall, PushStreams, type StreamEnd, UNAVAILABLE } from '../core/flagd/push-streams.js'
import { flagSyncService } from '../core/flagd/sync-service.js'
import type { Logger } from '../core/logger.js'
import { FlagFile, type Reception } from '../decision/file/flag-file.js'
import type { FlagDocuments, FlagFileKind } from '../decision/flags.js'
import type { FlagFileContent } from '../decision/read-flag-file.js'
import { configurationOf, NO_FLAGS, type SourceFlags, takeContent } from './source-flags.js'

/** streams at a time; a daemon has one */
const MAX_STREAMS = 1_000
/** ms the end waits for what was sent last */
const CLOSE_MS = 500
const TOO_MANY: StreamEnd = { code: status.RESOURCE_EXHAUSTED, details: 'too many streams' }
const NOT_YET: StreamEnd = { ...UNAVAILABLE, details: 'the flags are not known yet' }

interface SyncMessage {
  readonly flagConfiguration: string
}

export interface FlagSourceOptions {
  readonly host: string
  readonly port: number
  readonly opsFile: string
  readonly overrideFile: string
  /** in place of files */
  readonly documents: FlagDocuments
  readonly clock: Clock
  readonly logger: Pick<Logger, 'info' | 'warn'>
}

/** Serves both flag documents as one source of flagd, by `flagd.sync.v1`. */
export interface FlagSource {
  /** @throws when the port is taken */
  start(): Promise<void>
  /** Ends every stream with UNAVAILABLE: flagd goes on with the flags that it has, and connects again. */
  close(): Promise<void>
}

export function createFlagSource(options: FlagSourceOptions): FlagSource {
  return new SyncServer(options)
}

class SyncServer implements FlagSource {
  readonly #server = new Server()
  readonly #streams = new PushStreams<SyncMessage>((_waiting, next) => next)
  readonly #files: readonly FlagFile[]
  readonly #sources: Record<FlagFileKind, SourceFlags> = { ops: NO_FLAGS, override: NO_FLAGS }
  #configuration: string | undefined
  #closed = false

  constructor(private readonly options: FlagSourceOptions) {
    const { opsFile, overrideFile } = options
    this.#files = [this.#watched('ops', opsFile), this.#watched('override', overrideFile)]
    this.#server.addService(flagSyncService, {
      SyncFlags: (call: ServerWritableStream<unknown, SyncMessage>) => this.#open(call),
      FetchAllFlags: (_call: unknown, answer: sendUnaryData<SyncMessage>) =>
        this.#configuration === undefined
          ? answer(NOT_YET)
          : answer(null, { flagConfiguration: this.#configuration }),
      GetMetadata: (_call: unknown, answer: sendUnaryData<object>) => answer(null, { metadata: {} }),
    })
  }

  async start(): Promise<void> {
    const { host, port, logger } = this.options
    await Promise.all(this.#files.map((file) => file.start()))
    if (this.#closed) return
    const bound = await new Promise<number>((resolve, reject) => {
      const address = `${isIPv6(host) ? `[${host}]` : host}:${port}`
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, taken) =>
        error === null ? resolve(taken) : reject(error),
      )
    })
    logger.info({ host, port: bound }, '[Flags] served to flagd')
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#streams.end(UNAVAILABLE)
    await Promise.all(this.#files.map((file) => file.close()))
    const ended = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()))
    await bounded(ended, CLOSE_MS, this.options.clock, (_, ms, callback) => scheduleAwaited(ms, callback))
    this.#server.forceShutdown()
  }

  #watched(kind: FlagFileKind, configured: string): FlagFile {
    const { clock, documents } = this.options
    const document = documents[kind]
    return new FlagFile({
      path: document?.name ?? configured,
      ...(document === undefined ? {} : { document }),
      clock,
      onContent: (content, settled) => this.#take(kind, content, settled),
      // Who evaluates the flags tells what is wrong with them.
      onTrouble: () => undefined,
    })
  }

  #take(kind: FlagFileKind, content: FlagFileContent, settled: boolean): Reception {
    const taken = takeContent(content, kind, this.#sources[kind])
    if (taken === undefined) return settled ? 'taken' : 'doubtful'
    this.#sources[kind] = taken
    const configuration = configurationOf(this.#sources.ops, this.#sources.override)
    if (configuration === undefined || configuration === this.#configuration) return 'taken'
    this.#configuration = configuration
    this.#streams.send({ flagConfiguration: configuration })
    return 'taken'
  }

  /** Selectors are not looked at: there is one source. Never ended with OK, from which flagd's provider does not come back. */
  #open(call: ServerWritableStream<unknown, SyncMessage>): void {
    if (this.#closed || this.#configuration === undefined) endCall(call, NOT_YET)
    else if (this.#streams.size >= MAX_STREAMS) endCall(call, TOO_MANY)
    else this.#streams.open(call, { flagConfiguration: this.#configuration })
  }
}
