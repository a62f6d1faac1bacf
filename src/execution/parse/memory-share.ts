import v8 from 'node:v8'

/** What all that hold something of one kind may hold together. */
export class MemoryShare {
  #taken = 0

  constructor(private readonly limit: number) {}

  /** False where nothing is left; then nothing was taken. */
  take(amount: number): boolean {
    if (this.#taken + amount > this.limit) return false
    this.#taken += amount
    return true
  }

  give(amount: number): void {
    this.#taken -= amount
  }
}

/** Characters of unfinished long frames, of all turns together; a character is two bytes at most. */
export const FRAME_SHARE = new MemoryShare(Math.floor(v8.getHeapStatistics().heap_size_limit / 16))
