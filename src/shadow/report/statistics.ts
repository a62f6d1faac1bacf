import { normalQuantile } from '../../core/numbers/normal-quantile.js'
import type { PairCounts, PairedSums, Sums } from '../../journal/comparison.js'
import { LEAST_FREEDOM, studentQuantile } from './student-quantile.js'

/** A number and the interval that holds it at the confidence asked for. */
export interface Estimate {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** A sample's mean and the variance of that mean, with `n` observations. */
export interface Mean {
  readonly n: number
  readonly mean: number
  readonly variance: number
}

/** observations below which a mean has no interval */
export const LEAST_SAMPLE = LEAST_FREEDOM + 1

/** Undefined below {@link LEAST_SAMPLE}. */
export function meanOf({ n, sum, squares }: Sums): Mean | undefined {
  if (n < LEAST_SAMPLE) return undefined
  const mean = sum / n
  // Rounding may leave less than nothing of a variance that is zero.
  const variance = Math.max((squares - sum * mean) / (n - 1), 0)
  return { n, mean, variance: variance / n }
}

/** The differences of pairs as one sample: what makes the t interval of their mean a paired one. */
export const differencesOf = ({ n, difference, differenceSquares }: PairedSums): Sums => ({
  n,
  sum: difference,
  squares: differenceSquares,
})

/**
 * A sample of numbers from 0 to 1 with one more at either end. For zeros and ones this is the adjustment of A. Agresti
 * and B. Caffo, "Simple and effective confidence intervals for proportions and differences of proportions", The American
 * Statistician 54, 2000: thirty observations that are all 1 do not prove that none could be 0. Between 0 and 1 it only
 * widens the interval.
 */
export const bounded = ({ n, sum, squares }: Sums): Sums => ({ n: n + 2, sum: sum + 1, squares: squares + 1 })

/** t interval of a mean (Student, "The probable error of a mean", Biometrika 6, 1908). */
export function meanEstimate({ n, mean, variance }: Mean, confidence: number): Estimate {
  return around(mean, studentQuantile(upper(confidence), n - 1) * Math.sqrt(variance))
}

/**
 * a − b of two independent samples of unequal variance (B. L. Welch, "The generalization of Student's problem when several
 * different population variances are involved", Biometrika 34, 1947; degrees of freedom by F. E. Satterthwaite, 1946).
 */
export function welchEstimate(a: Mean, b: Mean, confidence: number): Estimate {
  const variance = a.variance + b.variance
  if (variance === 0) return around(a.mean - b.mean, 0)
  const share = a.variance / variance
  const freedom = 1 / (share ** 2 / (a.n - 1) + (1 - share) ** 2 / (b.n - 1))
  // Never less than the smaller sample's, but for rounding.
  const t = studentQuantile(upper(confidence), Math.max(freedom, Math.min(a.n, b.n) - 1))
  return around(a.mean - b.mean, t * Math.sqrt(variance))
}

/**
 * Share of candidates less share of controls to which something happened, over pairs: the adjusted Wald interval of
 * D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on
 * paired data", Journal of Educational and Behavioral Statistics 37, 2012. Holds for small rates too. Undefined without
 * pairs.
 */
export function pairedShareEstimate(pairs: PairCounts, confidence: number): Estimate | undefined {
  const n = pairs.neither + pairs.controlOnly + pairs.candidateOnly + pairs.both
  if (n === 0) return undefined
  const gained = (pairs.candidateOnly + 1) / (n + 2)
  const lost = (pairs.controlOnly + 1) / (n + 2)
  const adjusted = gained - lost
  const deviation = Math.sqrt((gained + lost - adjusted ** 2) / (n + 2))
  const interval = around(adjusted, normalQuantile(upper(confidence)) * deviation)
  return {
    value: (pairs.candidateOnly - pairs.controlOnly) / n,
    low: Math.max(interval.low, -1),
    high: Math.min(interval.high, 1),
  }
}

/**
 * a − b of two independent estimates from their intervals, whatever those come from: the method of variance estimates
 * recovery, G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine
 * 27, 2008. (Distances are taken from the middle of each interval, where the adjusted estimate lies.)
 */
export function differenceOfEstimates(a: Estimate, b: Estimate): Estimate {
  const half = Math.hypot((a.high - a.low) / 2, (b.high - b.low) / 2)
  const middle = (a.low + a.high) / 2 - (b.low + b.high) / 2
  return { value: a.value - b.value, low: middle - half, high: middle + half }
}

/**
 * The part of an interval where the number can be: one that reaches beyond it says no more than one that ends there, and holds the
 * number as often.
 */
export const within = (estimate: Estimate, least: number, most: number): Estimate =>
  mapEstimate(estimate, (x) => Math.min(Math.max(x, least), most))

/** `f` of all three; `f` never falls. */
export const mapEstimate = ({ value, low, high }: Estimate, f: (x: number) => number): Estimate => ({
  value: f(value),
  low: f(low),
  high: f(high),
})

/** −1, 1: the interval lies on that side of zero; 0: it holds zero. */
export const signOf = ({ low, high }: Estimate): -1 | 0 | 1 => (low > 0 ? 1 : high < 0 ? -1 : 0)

const upper = (confidence: number): number => (1 + confidence) / 2

const around = (value: number, half: number): Estimate => ({ value, low: value - half, high: value + half })
