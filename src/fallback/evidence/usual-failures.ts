/** How many executions (or probes) there were while all was as usual, and how many of them failed. */
export interface Usual {
  readonly total: number
  readonly errors: number
  readonly timeouts: number
}

export const NOTHING_USUAL: Usual = { total: 0, errors: 0, timeouts: 0 }

/** Fewer tell nothing of what is usual. */
const LEAST = 100
/** where there are as many the older half is forgotten: what is usual changes */
export const MOST_USUAL = 1000
/** of the natural logarithm of the chance (1e-9) that what is usual looks like this: then it is none */
export const UNUSUAL = Math.log(1e-9)

/** Both together, the first one being the older. */
export function joined(a: Usual, b: Usual): Usual {
  const part = a.total >= MOST_USUAL ? 0.5 : 1
  return {
    total: a.total * part + b.total,
    errors: a.errors * part + b.errors,
    timeouts: a.timeouts * part + b.timeouts,
  }
}

/** The share that usually fails, 0 to 1, never quite 0; undefined where too little is known. */
export function usualShare(usual: Usual | undefined, cause: 'errors' | 'timeouts'): number | undefined {
  if (usual === undefined || usual.total < LEAST) return undefined
  return (usual[cause] + 0.5) / (usual.total + 1)
}

/**
 * Could so many failures not be chance, where this share usually fails? By Chernoff's bound on the binomial tail,
 * exp(-n KL(count / n, share)) < 1e-9. All that fails is unusual where nothing is known.
 */
export function isUnusual(count: number, total: number, share: number | undefined): boolean {
  if (share === undefined || total === 0) return true
  const found = count / total
  if (found <= share) return false
  const good = found === 1 ? 0 : (1 - found) * Math.log((1 - found) / (1 - share))
  return -total * (found * Math.log(found / share) + good) < UNUSUAL
}

/** How many failures in a row it takes: `least`, and as many as are not chance where this share usually fails. */
export function unusualRow(least: number, share: number | undefined): number {
  return share === undefined ? least : Math.max(least, Math.ceil(UNUSUAL / Math.log(share)))
}

interface Slice extends Usual {
  readonly since: number
}

const PARTS = 32

/** How long an execution may still be the beginning of an outage: so many ms, and until so many others have followed. */
export interface Unsettled {
  readonly ms: number
  readonly executions: number
}

/**
 * What is usual for the executions of one backend. The newest ones do not count yet: the beginning of an outage is judged by what
 * was before it. Times are monotonic ms.
 */
export class UsualFailures {
  #usual: Usual = NOTHING_USUAL
  /** not known to be usual yet, oldest first; bounded by the executions asked for, and PARTS */
  #recent: Slice[] = []
  #following = 0
  #isCleared = false

  /** What was usual before this process began; nothing once it was cleared. */
  seed(usual: Usual): void {
    if (!this.#isCleared) this.#usual = joined(usual, this.#usual)
  }

  record(now: number, unsettled: Unsettled, error: 0 | 1, timeout: 0 | 1): void {
    this.#settle(now, unsettled)
    this.#following += 1
    const newest = this.#recent.at(-1)
    if (newest === undefined || now - newest.since >= unsettled.ms / PARTS) {
      this.#recent.push({ since: now, total: 1, errors: error, timeouts: timeout })
      return
    }
    const { since, total, errors, timeouts } = newest
    const grown = { since, total: total + 1, errors: errors + error, timeouts: timeouts + timeout }
    this.#recent[this.#recent.length - 1] = grown
  }

  get known(): Usual {
    return this.#usual
  }

  /** A state ended: what was judged in it may not have been as usual. */
  restart(): void {
    this.#recent = []
    this.#following = 0
  }

  clear(): void {
    this.restart()
    this.#usual = NOTHING_USUAL
    this.#isCleared = true
  }

  #settle(now: number, { ms, executions }: Unsettled): void {
    for (let oldest = this.#recent[0]; oldest !== undefined; oldest = this.#recent[0]) {
      if (now - oldest.since < ms || this.#following - oldest.total < executions) return
      this.#usual = joined(this.#usual, oldest)
      this.#following -= oldest.total
      this.#recent.shift()
    }
  }
}
