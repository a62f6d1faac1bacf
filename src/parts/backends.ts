import { guarded } from '../core/guarded.js'
import { modelOf } from '../execution/llm/llm-request.js'
import { endLlmSpan, startLlmSpan } from '../execution/llm/llm-spans.js'
import { openDirectLlm } from '../execution/llm/open-direct-llm.js'
import { type BackendDeps, createRuntimeOrchestrator } from '../execution/runtime/runtime-orchestrator.js'
import type { LlmGate } from '../llm/gate/gate.js'
import { openGate } from '../llm/gate/open-gate.js'
import { RefusedParameters } from '../llm/refused-parameters.js'
import { RequestCounts } from '../llm/request-counts.js'
import type { Surroundings } from './surroundings.js'

export type Backends = ReturnType<typeof openBackends>

export type RuntimeSigns = Omit<BackendDeps, 'clock' | 'logger'>

/** What users and shadows share: limits and rests hold for both together, and what one learns spares the other a request. */
export interface SharedLlm {
  readonly gate: LlmGate
  readonly refused: RefusedParameters
  readonly requests: RequestCounts
}

export const openSharedLlm = (around: Surroundings): SharedLlm => ({
  gate: openGate(around.config.llm, around),
  refused: new RefusedParameters(),
  requests: new RequestCounts(around.config.llm),
})

export function openBackends(
  { config, deadlines: clock, logger }: Surroundings,
  llm: SharedLlm,
  signs: RuntimeSigns,
) {
  return {
    direct_llm: openDirectLlm(config.llm, {
      clock,
      logger,
      random: Math.random,
      gate: llm.gate,
      refused: llm.refused,
      onRequest(name, turn, { span: within, watch }) {
        const endpoint = config.llm.find((one) => one.name === name)
        const span =
          within &&
          endpoint &&
          guarded(logger, 'traces', () => startLlmSpan(endpoint, modelOf(turn, endpoint), within))
        const told = watch?.request(name)
        return {
          ...(span === undefined ? {} : { span }),
          end(cause) {
            llm.requests.add(name, cause)
            guarded(logger, 'traces', () => {
              told?.(cause)
              if (span !== undefined) endLlmSpan(span, cause)
            })
          },
        }
      },
      onRefused: () => {
        llm.requests.refused += 1
      },
    }),
    runtime_orchestrator: createRuntimeOrchestrator(config.runtime, { clock, logger, ...signs }),
  }
}
