// A module as CHAT_PROVIDER_MODULE names it: LaunchDarkly's provider, towards the stand-in at LAUNCHDARKLY_URL.
import { LaunchDarklyProvider } from '@launchdarkly/openfeature-node-server'

const nothing = () => {}
const address = process.env.LAUNCHDARKLY_URL ?? ''

export const createProvider = async () =>
  new LaunchDarklyProvider(
    'sdk-for-tests',
    {
      streamUri: address,
      baseUri: address,
      eventsUri: address,
      sendEvents: false,
      diagnosticOptOut: true,
      streamInitialReconnectDelay: 0.05,
      logger: { error: nothing, warn: nothing, info: nothing, debug: nothing },
    },
    0.3,
  )
