import {
  type ComparisonSums,
  type KindSums,
  type PairCounts,
  type PairedSums,
  SIMILARITIES,
  type SideCounts,
  type Sums,
} from '../comparison.js'
import { PLACE, RESULTS, SIDE_PLACE, SIDE_RESULTS, TEN_THOUSANDTHS, TENTHS } from '../facts.js'
import { type TimePoint, TimeSummer } from '../time-sums.js'

/** ms: what is shorter counts as this much where the logarithm is taken */
const SHORTEST_MS = 0.1
const OK = RESULTS.indexOf('ok')
const ERROR = RESULTS.indexOf('error')
const TIMEOUT = RESULTS.indexOf('timeout')
const ENDS = RESULTS.length
const LEFT = SIDE_RESULTS.indexOf('aborted')

/** Adds up comparisons by their facts; facts that this version does not understand are passed over. */
export class ComparisonSummer {
  readonly #ab = new KindSummer()
  readonly #aa = new KindSummer()
  readonly #assigned = { n: 0, aa: 0, percent: 0, variance: 0 }

  add(facts: unknown): void {
    if (!Array.isArray(facts)) return
    const numbers: readonly unknown[] = facts
    const kind = numbers[PLACE.kind]
    if (kind !== 0 && kind !== 1) return
    const summer = kind === 0 ? this.#ab : this.#aa
    if (summer.add(numbers)) this.#assign(kind, numberAt(numbers, PLACE.aaPercent))
  }

  #assign(kind: 0 | 1, percent: number | undefined): void {
    if (percent === undefined) return
    this.#assigned.n += 1
    this.#assigned.aa += kind
    this.#assigned.percent += percent
    this.#assigned.variance += percent * (100 - percent)
  }

  sums(): ComparisonSums {
    return { ab: this.#ab.sums(), aa: this.#aa.sums(), assigned: { ...this.#assigned } }
  }
}

/** The pairs of one kind. */
class KindSummer {
  /** pairs by how control (row) and candidate (column) ended */
  readonly #ends = new Uint32Array(ENDS * ENDS)
  readonly #paired = {
    latency: new PairedSummer(),
    lnLatency: new PairedSummer(),
    firstContent: new PairedSummer(),
    lnFirstContent: new PairedSummer(),
    tokens: new PairedSummer(),
    characters: new PairedSummer(),
  }
  readonly #times = { latency: new TimeSummer(), firstContent: new TimeSummer() }
  #left = 0
  readonly #similar = {
    text: new Summer(),
    plan: new Summer(),
    callSet: new Summer(),
    callOrder: new Summer(),
  }
  readonly #codes = { control: new Map<string, number>(), candidate: new Map<string, number>() }
  #fenceViolations = 0

  /** False if this version does not understand it. */
  add(facts: readonly unknown[]): boolean {
    const control = facts[PLACE.control + SIDE_PLACE.result]
    const candidate = facts[PLACE.candidate + SIDE_PLACE.result]
    if (!isEnd(candidate)) return false
    if (control === LEFT) this.#addLeft(facts, candidate)
    else if (isEnd(control)) this.#addEnded(facts, control, candidate)
    else return false
    return true
  }

  #addEnded(facts: readonly unknown[], control: number, candidate: number): void {
    const cell = control * ENDS + candidate
    this.#ends[cell] = (this.#ends[cell] ?? 0) + 1
    this.#fenceViolations += numberAt(facts, PLACE.fenceViolations) ?? 0
    for (let at = 0; at < SIMILARITIES.length; at += 1) {
      const similarity = numberAt(facts, PLACE.similar + at)
      const name = SIMILARITIES[at]
      if (similarity !== undefined && name !== undefined)
        this.#similar[name].add(similarity / TEN_THOUSANDTHS)
    }
    countCode(this.#codes.control, facts[PLACE.control + SIDE_PLACE.code])
    countCode(this.#codes.candidate, facts[PLACE.candidate + SIDE_PLACE.code])
    if (control === OK && candidate === OK) this.#addNumbers(facts)
  }

  /** The user left, so the control's first content may be known, and its end is not. */
  #addLeft(facts: readonly unknown[], candidate: number): void {
    this.#left += 1
    this.#fenceViolations += numberAt(facts, PLACE.fenceViolations) ?? 0
    if (candidate !== OK) return
    const leftAt = timeAt(facts, PLACE.control + SIDE_PLACE.latency)
    const first = timeAt(facts, PLACE.control + SIDE_PLACE.firstContent)
    const latency = timeAt(facts, PLACE.candidate + SIDE_PLACE.latency)
    const firstContent = timeAt(facts, PLACE.candidate + SIDE_PLACE.firstContent)
    if (leftAt === undefined) return
    if (latency !== undefined) this.#times.latency.add(leftAt, latency, true)
    if (firstContent !== undefined)
      this.#times.firstContent.add(first ?? leftAt, firstContent, first === undefined)
  }

  #addNumbers(facts: readonly unknown[]): void {
    const { latency, lnLatency, firstContent, lnFirstContent, tokens, characters } = this.#paired
    addTimes(facts, SIDE_PLACE.latency, latency, lnLatency, this.#times.latency)
    addTimes(facts, SIDE_PLACE.firstContent, firstContent, lnFirstContent, this.#times.firstContent)
    addNumbers(facts, SIDE_PLACE.tokens, tokens)
    addNumbers(facts, SIDE_PLACE.characters, characters)
  }

  sums(): KindSums {
    return {
      pairs: this.#pairsWhere(() => true),
      left: this.#left,
      control: this.#side((end) => (control) => control === end),
      candidate: this.#side((end) => (_, candidate) => candidate === end),
      failed: this.#counts((end) => end !== OK),
      timedOut: this.#counts((end) => end === TIMEOUT),
      paired: {
        latency: this.#paired.latency.sums(),
        lnLatency: this.#paired.lnLatency.sums(),
        firstContent: this.#paired.firstContent.sums(),
        lnFirstContent: this.#paired.lnFirstContent.sums(),
        tokens: this.#paired.tokens.sums(),
        characters: this.#paired.characters.sums(),
      },
      times: { latency: this.#times.latency.sums(), firstContent: this.#times.firstContent.sums() },
      similar: {
        text: this.#similar.text.sums(),
        plan: this.#similar.plan.sums(),
        callSet: this.#similar.callSet.sums(),
        callOrder: this.#similar.callOrder.sums(),
      },
      fenceViolations: this.#fenceViolations,
      codes: {
        control: Object.fromEntries(this.#codes.control),
        candidate: Object.fromEntries(this.#codes.candidate),
      },
    }
  }

  #side(ended: (end: number) => EndsTest): SideCounts {
    return {
      ok: this.#pairsWhere(ended(OK)),
      error: this.#pairsWhere(ended(ERROR)),
      timeout: this.#pairsWhere(ended(TIMEOUT)),
    }
  }

  #counts(befell: (end: number) => boolean): PairCounts {
    return {
      neither: this.#pairsWhere((control, candidate) => !befell(control) && !befell(candidate)),
      controlOnly: this.#pairsWhere((control, candidate) => befell(control) && !befell(candidate)),
      candidateOnly: this.#pairsWhere((control, candidate) => !befell(control) && befell(candidate)),
      both: this.#pairsWhere((control, candidate) => befell(control) && befell(candidate)),
    }
  }

  #pairsWhere(test: EndsTest): number {
    return this.#ends.reduce(
      (sum, pairs, cell) => (test(Math.floor(cell / ENDS), cell % ENDS) ? sum + pairs : sum),
      0,
    )
  }
}

type EndsTest = (control: number, candidate: number) => boolean

class PairedSummer {
  #n = 0
  #control = 0
  #candidate = 0
  #difference = 0
  #differenceSquares = 0

  add(control: number, candidate: number): void {
    const difference = candidate - control
    this.#n += 1
    this.#control += control
    this.#candidate += candidate
    this.#difference += difference
    this.#differenceSquares += difference * difference
  }

  sums(): PairedSums {
    return {
      n: this.#n,
      control: this.#control,
      candidate: this.#candidate,
      difference: this.#difference,
      differenceSquares: this.#differenceSquares,
    }
  }
}

class Summer {
  #n = 0
  #sum = 0
  #squares = 0

  add(value: number): void {
    this.#n += 1
    this.#sum += value
    this.#squares += value * value
  }

  sums(): Sums {
    return { n: this.#n, sum: this.#sum, squares: this.#squares }
  }
}

function addTimes(
  facts: readonly unknown[],
  place: number,
  times: PairedSummer,
  logs: PairedSummer,
  bins: TimeSummer,
): void {
  const control = timeAt(facts, PLACE.control + place)
  const candidate = timeAt(facts, PLACE.candidate + place)
  if (control === undefined || candidate === undefined) return
  times.add(control.ms, candidate.ms)
  logs.add(control.ln, candidate.ln)
  bins.add(control, candidate, false)
}

function timeAt(facts: readonly unknown[], place: number): TimePoint | undefined {
  const tenths = numberAt(facts, place)
  if (tenths === undefined) return undefined
  const ms = tenths / TENTHS
  return { ms, ln: Math.log(Math.max(ms, SHORTEST_MS)) }
}

function addNumbers(facts: readonly unknown[], place: number, numbers: PairedSummer): void {
  const control = numberAt(facts, PLACE.control + place)
  const candidate = numberAt(facts, PLACE.candidate + place)
  if (control !== undefined && candidate !== undefined) numbers.add(control, candidate)
}

const isEnd = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < ENDS

function numberAt(facts: readonly unknown[], place: number): number | undefined {
  const value = facts[place]
  return typeof value === 'number' ? value : undefined
}

function countCode(codes: Map<string, number>, code: unknown): void {
  if (typeof code === 'string') codes.set(code, (codes.get(code) ?? 0) + 1)
}
