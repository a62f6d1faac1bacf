import { guarded } from '../../core/guarded.js'
import type { Entry } from '../../llm/gate/seat.js'
import type { ChatBackend, ExecutionCall, Turn } from '../backend.js'
import { RoutedExecution, type RoutedLlmDeps } from './routed-execution.js'

/** Refuses turns of the direct LLM before their stream is open. */
export interface LlmAdmission {
  /**
   * Takes a place for a turn that is about to be executed, or one in the queue. Undefined where it may go on, else the
   * seconds after which a place may be free. The caller calls `leave` when the turn is over.
   * @param waitMs how long the turn may wait
   */
  admit(turn: Turn, waitMs: number): number | undefined
  /** Gives back what the turn still has. */
  leave(turn: Turn): void
}

export type EndpointBackend = ChatBackend & { close(): void }

export type RoutedLlm = ChatBackend & LlmAdmission & { close(): void }

/**
 * The direct LLM over its endpoints: one execution, in which a request that fails before anything was shown is made again or
 * goes to the next endpoint of the turn's route. `backends` in the order of the file.
 */
export function createRoutedLlm(
  backends: ReadonlyMap<string, EndpointBackend>,
  deps: RoutedLlmDeps,
): RoutedLlm {
  const all = [...backends.keys()]
  const admitted = new WeakMap<Turn, Entry>()

  function routeOf({ llmRoute = [] }: Turn): readonly string[] {
    const known = [...new Set(llmRoute)].filter((name) => backends.has(name))
    return known.length === 0 ? all : known
  }

  function entryOf(turn: Turn, route: readonly string[], call: ExecutionCall): Entry {
    const entry = admitted.get(turn)
    admitted.delete(turn)
    return entry ?? deps.gate.enter(route, turn.shadow === true ? 0 : call.connectMs + call.headersMs)
  }

  return {
    mode: 'direct_llm',
    execute(turn, call, sink) {
      const route = routeOf(turn)
      const entry = entryOf(turn, route, call)
      const execution = new RoutedExecution(turn, call, route, entry, backends, deps, sink)
      execution.start()
      return execution
    },
    admit(turn, waitMs) {
      const route = routeOf(turn)
      const entry = deps.gate.enter(route, waitMs)
      if (entry.now?.kind === 'refused' && entry.now.why === 'full') {
        deps.onRefused?.()
        return deps.gate.retryAfterSeconds(route)
      }
      admitted.set(turn, entry)
      return undefined
    },
    leave(turn) {
      admitted.get(turn)?.leave()
      admitted.delete(turn)
    },
    close() {
      for (const backend of backends.values()) guarded(deps.logger, 'close', () => backend.close())
    },
  }
}
