import { type LocalTurn, sizeOf } from './local-turn.js'

export interface WaitingBounds {
  readonly turns: number
  /** UTF-16 code units of questions and answers */
  readonly characters: number
}

/** Up to 64 MB of memory. */
export const WAITING_BOUNDS: WaitingBounds = { turns: 20_000, characters: 32 * 1_048_576 }

/** Turns that wait to be written, oldest first. Beyond the bounds the oldest that have ended make way. */
export class WaitingTurns {
  readonly #turns = new Set<LocalTurn>()
  #characters = 0
  readonly #sizes = new Map<LocalTurn, number>()

  /** @param onLost a turn that makes way */
  constructor(
    private readonly bounds: WaitingBounds,
    private readonly onLost: (turn: LocalTurn) => void,
  ) {}

  get size(): number {
    return this.#turns.size
  }

  all(): LocalTurn[] {
    return [...this.#turns]
  }

  has(turn: LocalTurn): boolean {
    return this.#turns.has(turn)
  }

  ofSession(sessionId: string): LocalTurn[] {
    return this.all().filter(({ turn }) => turn.sessionId === sessionId)
  }

  /** Also for one that grew. */
  add(turn: LocalTurn): void {
    const size = sizeOf(turn)
    this.#characters += size - (this.#sizes.get(turn) ?? 0)
    this.#sizes.set(turn, size)
    this.#turns.add(turn)
    if (this.#isOver()) this.#makeWay()
  }

  delete(turn: LocalTurn): void {
    this.#characters -= this.#sizes.get(turn) ?? 0
    this.#sizes.delete(turn)
    this.#turns.delete(turn)
  }

  #isOver(): boolean {
    return this.#turns.size > this.bounds.turns || this.#characters > this.bounds.characters
  }

  #makeWay(): void {
    for (const turn of this.#turns) {
      if (!this.#isOver()) return
      if (turn.end === undefined) continue
      this.delete(turn)
      this.onLost(turn)
    }
  }
}
