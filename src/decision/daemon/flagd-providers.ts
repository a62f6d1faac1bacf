import { FlagdProvider } from '@openfeature/flagd-provider'
import type { Provider } from '@openfeature/server-sdk'
import { errorText } from '../../core/errors.js'
import { silentSdkLogger } from '../sdk-logger.js'
import { configurationRefusal } from './configuration-refusal.js'

export interface FlagdAddress {
  readonly host: string
  readonly port: number
  readonly tls: boolean
}

/** flagd's own provider, with what it lacks. */
export interface FlagdConnection {
  readonly provider: Provider
  /** To be called at READY: a provider whose first attempt failed would never announce a change of the flags. */
  connected(): void
  /** Closes it for good: by itself it goes on connecting to a dead daemon and keeps the process alive. */
  close(): Promise<void>
}

/**
 * Measured with flagd 0.16.1: the rpc cache goes stale, a stream deadline makes the provider STALE for seconds. Its sync
 * service ends a connection that pings more often than every 30 s; older ones allow a ping in five minutes, and there
 * grpc-js doubles the time each time it is told so. A silent daemon is noticed by its missing answers, long before a ping.
 */
const SETTINGS = {
  cache: 'disabled',
  deadlineMs: 500,
  streamDeadlineMs: 0,
  keepAliveTime: 60_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 200,
  retryGracePeriod: 10,
} as const

/**
 * Resolvers `in-process` (evaluates here what flagd's sync stream sends) and `rpc` (asks flagd each time).
 * What is missing in the provider is reached by name in its (pinned) inside; a test holds each. `onConfiguration` hears of
 * each configuration that came `in-process`, and because of what it was refused (`undefined`: it is in effect).
 */
export function connectFlagd(
  resolverType: 'in-process' | 'rpc',
  address: FlagdAddress,
  onConfiguration: (refusal: string | undefined, text: string) => void,
): FlagdConnection {
  const provider = new FlagdProvider({ ...SETTINGS, ...address, resolverType }, silentSdkLogger)
  const service = objectAt(provider, '_service')
  if (service !== undefined) watchConfigurations(service, onConfiguration)
  const stream = objectAt(service, '_dataFetcher') ?? service
  return {
    provider,
    connected() {
      if (stream !== undefined && '_initialized' in stream) Reflect.set(stream, '_initialized', true)
    },
    async close() {
      // Each attempt to connect schedules the next one by this method, and the first error a timer of ten seconds.
      if (stream !== undefined) Reflect.set(stream, 'listen', () => {})
      Reflect.set(provider, '_isErrorState', true)
      await provider.onClose()
    },
  }
}

/** `in-process` takes each configuration by this method, and swallows what it throws. By `rpc` there is none. */
function watchConfigurations(
  service: object,
  tell: (refusal: string | undefined, text: string) => void,
): void {
  const take: unknown = Reflect.get(service, 'setFlagConfiguration')
  if (typeof take !== 'function') return
  Reflect.set(service, 'setFlagConfiguration', (text: string): unknown => {
    try {
      const changed: unknown = Reflect.apply(take, service, [text])
      tell(undefined, text)
      return changed
    } catch (thrown) {
      tell(configurationRefusal(text) ?? errorText(thrown), text)
      throw thrown
    }
  })
}

function objectAt(owner: object | undefined, name: string): object | undefined {
  const value: unknown = owner === undefined ? undefined : Reflect.get(owner, name)
  return typeof value === 'object' && value !== null ? value : undefined
}
