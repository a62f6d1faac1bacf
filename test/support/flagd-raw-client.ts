import {
  type ChannelOptions,
  Client,
  credentials,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js'
import { within } from './flagd-fixture.js'

/** A gRPC client below the provider: single calls, no retries, streams as they come. */
export class RawFlagdClient {
  readonly #client: Client

  constructor(port: number, options: ChannelOptions = {}) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    })
  }

  /** Resolves with the answer, rejects with the gRPC error. */
  call(service: ServiceDefinition, name: string, request: object): Promise<Record<string, unknown>> {
    const method = methodOf(service, name)
    const answer = new Promise<Record<string, unknown>>((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        (error, value) => (error === null && value !== undefined ? resolve(value) : reject(error)),
      )
    })
    return within(answer, name)
  }

  stream(service: ServiceDefinition, name: string): RawStream {
    const method = methodOf(service, name)
    const call = this.#client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      {},
    )
    const messages: Record<string, unknown>[] = []
    let wake = () => {}
    call.on('data', (message: Record<string, unknown>) => {
      messages.push(message)
      wake()
    })
    const ended = new Promise<number>((resolve) => {
      call.on('error', (error: ServiceError) => resolve(error.code))
      call.on('end', () => resolve(0))
    })
    const until = async (count: number) => {
      while (messages.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
    return {
      messages,
      until: (count) => within(until(count), `${count} messages`),
      ended: () => within(ended, 'the end of the stream'),
    }
  }

  close(): void {
    this.#client.close()
  }
}

export interface RawStream {
  readonly messages: readonly Record<string, unknown>[]
  /** until so many messages have come */
  until(count: number): Promise<void>
  /** the status code it ends with */
  ended(): Promise<number>
}

function methodOf(service: ServiceDefinition, name: string) {
  const method = service[name]
  if (method === undefined) throw new Error(`no method ${name}`)
  return method
}
