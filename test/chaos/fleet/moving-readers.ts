import type { bearer } from '../../support/processes.js'
import type { Target } from '../traffic.js'
import { type Move, type MoveKind, readMoving } from './moving-reader.js'

const EVERY_MS = 700

/** Users whose connection breaks in mid-answer, a few each second, and who go on at another replica. */
export class MovingReaders {
  readonly ended: Move[] = []
  readonly #flying = new Set<Promise<Move>>()
  readonly #away = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #begun = 0

  constructor(
    private readonly targets: () => readonly Target[],
    private readonly token: typeof bearer,
  ) {}

  bearer(): Promise<string> {
    return this.token({ org: 'org-moving', user: 'user-moving' })
  }

  async start(): Promise<void> {
    const authorization = await this.bearer()
    this.#timer = setInterval(() => this.#one(authorization), EVERY_MS)
  }

  /** Ends when every turn has. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#flying)
  }

  /** Those that are under way now, once they have ended. */
  settled(): Promise<readonly Move[]> {
    return Promise.all(this.#flying)
  }

  /** No turn begins there, as a balancer does it that has taken a replica out. */
  leave(replica: string): void {
    this.#away.add(replica)
  }

  rejoin(replica: string): void {
    this.#away.delete(replica)
  }

  count(kind: MoveKind): number {
    return this.ended.filter((move) => move.kind === kind).length
  }

  #one(authorization: string): void {
    const targets = this.targets().filter(({ replica }) => !this.#away.has(replica))
    if (targets.length === 0) return
    const first = this.#begun % targets.length
    this.#begun += 1
    const flight = readMoving({
      message: `moved-${this.#begun}-end`,
      authorization,
      targets: [...targets.slice(first), ...targets.slice(0, first)],
    }).then((move) => {
      this.#flying.delete(flight)
      this.ended.push(move)
      return move
    })
    this.#flying.add(flight)
  }
}
