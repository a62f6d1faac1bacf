import type { View } from './content.js'
import type { World } from './world.js'

/** How one replica's provider follows the file: with its lag, not at all and not READY, or not at all and READY. */
export type ProviderCondition = 'well' | 'lost' | 'stuck'

export class SimProvider {
  view: View | undefined
  #condition: ProviderCondition = 'well'
  readonly #stop: () => void

  constructor(
    private readonly world: World,
    private readonly lagMs: () => number,
  ) {
    this.view = world.view
    this.#stop = world.watch(() => this.world.scheduler.after(this.lagMs(), () => this.#follow()))
  }

  get ready(): boolean {
    return this.#condition !== 'lost'
  }

  set condition(condition: ProviderCondition) {
    this.#condition = condition
    this.#follow()
  }

  stop(): void {
    this.#stop()
  }

  #follow(): void {
    if (this.#condition === 'well') this.view = this.world.view
  }
}
