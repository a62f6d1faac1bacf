/** The steps of a call, in their order; each one may be the last that a process takes. */
export const STORE_STEPS = [
  'resolve',
  'lock',
  'read',
  'temp_open',
  'temp_write',
  'temp_sync',
  'check',
  'keep_aside',
  'rename',
  'directory_sync',
  'unlock',
] as const
export type StoreStep = (typeof STORE_STEPS)[number]

/** For tests: what happens before a step. What it throws is taken for the system's own error. */
export interface StepFaults {
  before(step: StoreStep, path: string): void | Promise<void>
}

/** Passed before each step. @throws GivenUp once nobody waits for the call any more */
export type Gate = (step: StoreStep, path: string) => Promise<void>

/** The call's time is over: what it has not begun is left undone. */
export class GivenUp extends Error {
  override readonly name = 'GivenUp'
}
