import type { Clock, Timer } from '../../core/clock.js'
import type { Logger } from '../../core/logger.js'
import type { OpsFile } from '../flag-store.js'

interface Seeding {
  /** CHAT_FLAGS_FILE */
  readonly from: Pick<OpsFile, 'read'>
  /** the document */
  readonly to: Pick<OpsFile, 'name' | 'read' | 'write'>
  isGood(text: string): boolean
}

export type Seeded = 'there' | 'written' | 'no_file' | 'refused' | 'failed'

/** The first content of the operators' document: that of the file, if the document is missing and the file is good. */
export async function seedOps({ from, to, isGood }: Seeding): Promise<Seeded> {
  const present = await to.read()
  if (present.kind === 'text') return 'there'
  if (present.kind === 'failed') return 'failed'
  const file = await from.read()
  if (file.kind !== 'text') return 'no_file'
  if (!isGood(file.text)) return 'refused'
  const result = await to.write(file.text, 'missing')
  if (result.kind === 'written') return 'written'
  // Another replica was faster.
  return result.kind === 'conflict' && result.stored.kind === 'text' ? 'there' : 'failed'
}

/** ms between two tries while the store fails */
const AGAIN_MS = 5_000

export interface RunningSeeding {
  /** the first try; never rejects */
  readonly first: Promise<void>
  stop(): void
}

/** Tries until the store answers. A document that is deleted later is written again at the next start alone. */
export function startSeeding(
  seeding: Seeding & { readonly clock: Clock; readonly logger: Pick<Logger, 'info' | 'warn'> },
): RunningSeeding {
  const { clock, logger, to } = seeding
  let timer: Timer | undefined
  let isOver = false
  const attempt = async (): Promise<void> => {
    const seeded = await seedOps(seeding)
    if (isOver) return
    const document = to.name
    switch (seeded) {
      case 'there':
        return
      case 'written':
        logger.info({ document }, '[Flags] written from CHAT_FLAGS_FILE, for there were none')
        return
      case 'no_file':
        logger.warn({ document }, '[Flags] there are none, and CHAT_FLAGS_FILE is no file to write them from')
        return
      case 'refused':
        logger.warn({ document }, '[Flags] there are none, and those of CHAT_FLAGS_FILE have faults')
        return
      case 'failed':
        timer = clock.schedule(AGAIN_MS, () => void attempt())
    }
  }
  return {
    first: attempt(),
    stop() {
      isOver = true
      timer?.cancel()
    },
  }
}
