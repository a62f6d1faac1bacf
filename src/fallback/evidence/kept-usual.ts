import { hash } from 'node:crypto'
import { z } from 'zod'
import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import type { KeptTexts } from '../../core/sqlite/kept-texts.js'
import type { Usual } from './usual-failures.js'

/** ms; what was usual earlier says nothing of today */
const TRUSTED_MS = 86_400_000
/** ms a start waits for the database */
const READ_MS = 1_000
/** ms between two writes */
const KEEP_EVERY_MS = 60_000
/** executions that replace what could not be read */
const ENOUGH = 100

const usualSchema = z
  .object({ total: z.number().min(0), errors: z.number().min(0), timeouts: z.number().min(0) })
  .refine(({ total, errors, timeouts }) => timeouts <= errors && errors <= total)

/** What usually fails of one runtime, from one start to the next. */
export interface KeptUsual {
  /** What an earlier process, or another replica on the same database, kept within the last day; at most a second. Never rejects. */
  load(): Promise<Usual | undefined>
  /** Once a minute where it changed; at once with `now`. Never throws, never waits. */
  keep(usual: Usual, now?: 'now'): void
}

/** @param runtimeUrl another runtime has another memory */
export function createKeptUsual(texts: KeptTexts, runtimeUrl: string, clock: Clock): KeptUsual {
  // The address may hold a secret.
  const name = `usual-failures ${hash('sha256', runtimeUrl)}`
  let keptText = ''
  let isRead = false
  let nextAt = clock.monotonic() + KEEP_EVERY_MS
  return {
    async load() {
      const read = texts.read(name).then(
        (kept) => ({ kept }),
        () => 'failed' as const,
      )
      const answer = await bounded(read, READ_MS, clock)
      if (answer === 'failed' || answer === 'late') return undefined
      isRead = true
      const { kept } = answer
      return kept === undefined || clock.wall() - kept.at >= TRUSTED_MS ? undefined : parsed(kept.text)
    },
    keep(usual, now) {
      if (now === undefined && clock.monotonic() < nextAt) return
      // Who could not read it knows less than it may say.
      if (!isRead && usual.total < ENOUGH && usual.total > 0) return
      nextAt = clock.monotonic() + KEEP_EVERY_MS
      const text = JSON.stringify(usual)
      if (text === keptText) return
      keptText = text
      texts.keep(name, text)
    },
  }
}

function parsed(text: string): Usual | undefined {
  try {
    return usualSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
