import type { Clock } from '../../core/clock.js'
import type { Logger } from '../../core/logger.js'
import type { LlmEndpoint } from '../endpoint.js'
import { LlmGate } from './gate.js'

/** The gate of a process; it tells the log which endpoints rest. */
export function openGate(
  endpoints: readonly LlmEndpoint[],
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): LlmGate {
  return new LlmGate(endpoints, {
    clock,
    onRest: (endpoint, forMs, { code, httpStatus }) =>
      logger.warn(
        { endpoint, forMs: Math.round(forMs), code, httpStatus },
        '[LLM] an endpoint rests: it failed several times in a row or asked for it',
      ),
    onBack: (endpoint) => logger.info({ endpoint }, '[LLM] an endpoint answers again'),
  })
}
