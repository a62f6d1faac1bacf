import { type Client, NOOP_PROVIDER, OpenFeature, type Provider } from '@openfeature/server-sdk'
import { errorText } from '../core/errors.js'
import { silentSdkLogger } from './sdk-logger.js'

/** A provider behind a client of its own. */
export interface BoundClient {
  readonly client: Client
  /** How the provider's initialisation ended; `undefined` is well. Never rejects; may never end. */
  readonly initialised: Promise<string | undefined>
  /** Takes the provider out of the SDK, which closes it. */
  unbind(): void
}

let bound = 0

/** A domain of its own for each, so that several services live in one process; `prepare` adds handlers in time. */
export function bindProvider(provider: Provider, prepare: (client: Client) => void): BoundClient {
  bound += 1
  const domain = `chat-cutover-${bound}`
  const client = OpenFeature.getClient(domain).setLogger(silentSdkLogger)
  prepare(client)
  const initialised = OpenFeature.setProviderAndWait(domain, provider).then(() => undefined, errorText)
  return {
    client,
    initialised,
    unbind() {
      OpenFeature.setProvider(domain, NOOP_PROVIDER)
    },
  }
}
