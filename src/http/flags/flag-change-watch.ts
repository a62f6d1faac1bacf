import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import type { Flags } from '../../decision/flags.js'

/** ms an answer waits for the flags' source to tell of an edit: files take some 50, flagd up to a second */
const IN_FORCE_MS = 2_000

/** Sees which flags their source tells of, from its making until `stop`. */
export interface ChangeWatch {
  /** True once all of them were told; false if they were not within two seconds. */
  saw(keys: readonly string[]): Promise<boolean>
  stop(): void
}

export function watchChanges(flags: Pick<Flags, 'onChange'>, clock: Clock): ChangeWatch {
  const told = new Set<string>()
  let onTold = (): void => undefined
  const stop = flags.onChange((keys) => {
    for (const key of keys) told.add(key)
    onTold()
  })
  return {
    async saw(keys) {
      const all = (): boolean => keys.every((key) => told.has(key))
      const seen = new Promise<void>((resolve) => {
        onTold = () => {
          if (all()) resolve()
        }
        onTold()
      })
      return (await bounded(seen, IN_FORCE_MS, clock)) !== 'late'
    },
    stop,
  }
}
