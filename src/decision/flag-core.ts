import { type FeatureFlag, FlagdCore } from '@openfeature/flagd-core'
import { silentSdkLogger } from './sdk-logger.js'

/** flagd's own evaluation of flags that were read and checked before; `flags` is asked each time. */
export function flagCoreOf(flags: () => ReadonlyMap<string, FeatureFlag>): FlagdCore {
  return new FlagdCore(
    {
      getFlag: (key) => flags().get(key),
      getFlags: () => new Map(flags()),
      getFlagSetMetadata: () => ({}),
      setConfigurations: () => [],
    },
    silentSdkLogger,
  )
}
