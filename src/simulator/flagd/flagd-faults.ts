import { z } from 'zod'

/** Longest delay of an evaluation: ten minutes, beyond every deadline in use. */
const MAX_DELAY_MS = 600_000

/**
 * What can be wrong with the daemon; `PUT /_faults` replaces all of it, a missing field is off.
 *
 * - `hang`: takes connections and never answers nor pushes, HTTP/2 pings included, as under SIGSTOP; when it is taken
 *   back, what waited is answered.
 * - `unavailable`: evaluations answer UNAVAILABLE, open streams end with it, new ones too.
 * - `delayMs`: every evaluation is answered that many milliseconds later; pushes are not.
 * - `dropWatch`: changes of the flag files are not seen any more (flagd's lost fsnotify watch); when it is taken back,
 *   the files are read again.
 * - `refuse`: every connection, open or new, is reset, as if the process were killed.
 */
export const flagdFaultsSchema = z.strictObject({
  hang: z.boolean().default(false),
  unavailable: z.boolean().default(false),
  delayMs: z.int().min(0).max(MAX_DELAY_MS).default(0),
  dropWatch: z.boolean().default(false),
  refuse: z.boolean().default(false),
})

export type FlagdFaults = z.infer<typeof flagdFaultsSchema>
/** As one sets them: every field may be left out. */
export type FlagdFaultsInput = z.input<typeof flagdFaultsSchema>

export const NO_FAULTS: FlagdFaults = flagdFaultsSchema.parse({})
