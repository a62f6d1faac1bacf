import type { Logger } from '@openfeature/server-sdk'

const nothing = (): void => {}

/**
 * Given to the SDK, its providers and flagd-core. They write flag values (a system prompt may be one) and one line for
 * each failed evaluation; what matters of it reaches the log through the providers' events, once.
 */
export const silentSdkLogger: Logger = { error: nothing, warn: nothing, info: nothing, debug: nothing }
