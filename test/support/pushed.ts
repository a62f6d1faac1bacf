import type { BackendEvent, BackendSink, RunningExecution } from '../../src/execution/backend.js'

type Pulled = AsyncGenerator<readonly BackendEvent[], void, undefined>

/** Drives a generator of batches as a backend that pushes them. Each batch costs it a few promises. */
export function pushed(batches: Pulled, signal: AbortSignal, sink: BackendSink): RunningExecution {
  let wake: (() => void) | undefined
  let ended = false
  const end = (failure?: unknown): void => {
    if (ended) return
    ended = true
    signal.removeEventListener('abort', leave)
    sink.end(failure)
  }
  const leave = (): void => {
    batches.return(undefined).then(() => end(), end)
  }
  const run = async (): Promise<void> => {
    for (let next = await batches.next(); next.done !== true; next = await batches.next()) {
      if (signal.aborted) return leave()
      if (!sink.batch(next.value)) await new Promise<void>((resolve) => (wake = resolve))
      if (signal.aborted) return leave()
    }
    end()
  }
  signal.addEventListener('abort', leave, { once: true })
  run().catch(end)
  return { resume: () => wake?.() }
}
