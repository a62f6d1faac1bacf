import { z } from 'zod'
import { Problem } from '../edge/problems.js'

/** What may be wrong with the simulated runtime, as the demo shows it; the values are faults of the simulator. */
const FAULTS = {
  none: {},
  errors: { status: 500 },
  hangs: { hang: 'headers' },
  unreachable: { refuse: true },
  breaks_off: { dropAfterEvents: 4 },
} as const

export const demoFaultSchema = z.strictObject({
  fault: z.enum(['none', 'errors', 'hangs', 'unreachable', 'breaks_off']),
})
export type DemoFault = z.infer<typeof demoFaultSchema>['fault']

/** ms for the simulator to answer */
const TIMEOUT_MS = 2000

/** Breaks the simulated runtime, or mends it. @throws Problem 503 where no simulator answers */
export async function setDemoFault(runtimeUrl: string, fault: DemoFault): Promise<void> {
  try {
    const response = await fetch(`${runtimeUrl}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(FAULTS[fault]),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    await response.arrayBuffer()
    if (response.ok) return
  } catch {
    // Told below: whatever it was, there is no simulator.
  }
  throw new Problem('simulator_away')
}
