import { TIME_BIN_WIDTH } from '../protocol/shadow-report.js'

/** Σ over the pairs of one bin, on one scale. */
export interface CrossSums {
  readonly control: number
  readonly candidate: number
  readonly candidateSquares: number
}

/** Pairs whose control took about the same time, or was left by its user after about the same time. */
export interface TimeBin {
  /** rises with the time */
  readonly bin: number
  /** The user left: the control's time is only known to be longer. */
  readonly isCensored: boolean
  readonly n: number
  readonly ms: CrossSums
  /** natural logarithm of ms */
  readonly ln: CrossSums
}

/** Candidates that took about the same time. */
export interface CandidateBin {
  readonly bin: number
  readonly n: number
  /** Σ ln ms */
  readonly ln: number
}

/** One time of all pairs that have it on both sides, a control that its user left included. */
export interface TimeSums {
  /** by rising `bin`, within one the censored ones last */
  readonly pairs: readonly TimeBin[]
  /** by rising `bin` */
  readonly candidate: readonly CandidateBin[]
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }
interface OpenBin extends Omit<Writable<TimeBin>, 'ms' | 'ln'> {
  readonly ms: Writable<CrossSums>
  readonly ln: Writable<CrossSums>
}

/** Adds up the times of pairs. What it holds is bounded by the number of bins. */
export class TimeSummer {
  readonly #pairs = new Map<number, OpenBin>()
  readonly #candidate = new Map<number, Writable<CandidateBin>>()

  /** @param isCensored the control's time is only known to be longer */
  add(control: TimePoint, candidate: TimePoint, isCensored: boolean): void {
    const at = binOf(control.ln)
    const key = 2 * at + (isCensored ? 1 : 0)
    const bin = this.#pairs.get(key) ?? newBin(at, isCensored)
    if (bin.n === 0) this.#pairs.set(key, bin)
    bin.n += 1
    addTo(bin.ms, control.ms, candidate.ms)
    addTo(bin.ln, control.ln, candidate.ln)
    const candidateAt = binOf(candidate.ln)
    const own = this.#candidate.get(candidateAt) ?? { bin: candidateAt, n: 0, ln: 0 }
    if (own.n === 0) this.#candidate.set(candidateAt, own)
    own.n += 1
    own.ln += candidate.ln
  }

  sums(): TimeSums {
    const byKey = [...this.#pairs].sort(([a], [b]) => a - b)
    return {
      pairs: byKey.map(([, { bin, isCensored, n, ms, ln }]) => ({
        bin,
        isCensored,
        n,
        ms: { ...ms },
        ln: { ...ln },
      })),
      candidate: [...this.#candidate.values()].sort((a, b) => a.bin - b.bin).map((bin) => ({ ...bin })),
    }
  }
}

/** One time on both scales. */
export interface TimePoint {
  readonly ms: number
  readonly ln: number
}

const binOf = (ln: number): number => Math.floor(ln / TIME_BIN_WIDTH)

const newBin = (bin: number, isCensored: boolean): OpenBin => ({
  bin,
  isCensored,
  n: 0,
  ms: { control: 0, candidate: 0, candidateSquares: 0 },
  ln: { control: 0, candidate: 0, candidateSquares: 0 },
})

function addTo(sums: Writable<CrossSums>, control: number, candidate: number): void {
  sums.control += control
  sums.candidate += candidate
  sums.candidateSquares += candidate * candidate
}
