import { expect } from 'chai'
import type { Outcome } from '../../../src/execution/outcome.js'
import type { WindowMetrics } from '../../../src/protocol/fallback.js'
import type { ManualClock } from '../../support/manual-clock.js'

/** 1% of the sketch and 0.5% of rounding */
const TOLERANCE = 0.016

/** One execution that may still be in the window. */
export interface Held {
  readonly at: number
  readonly outcome: Outcome
  /** the widest slices since it was recorded */
  slackMs: number
  /** it was within every window since */
  certain: boolean
}

/** A list of everything that may still be in a window of so many slices. */
export class NaiveWindows {
  held: Held[] = []
  #windowMs: number

  constructor(
    private readonly clock: ManualClock,
    windowSeconds: number,
    private readonly parts: number,
  ) {
    this.#windowMs = windowSeconds * 1000
  }

  record(outcome: Outcome): void {
    this.held.push({
      at: this.clock.monotonic(),
      outcome,
      slackMs: this.#windowMs / this.parts,
      certain: true,
    })
  }

  resize(windowSeconds: number): void {
    this.age()
    this.#windowMs = windowSeconds * 1000
    for (const one of this.held) one.slackMs = Math.max(one.slackMs, this.#windowMs / this.parts)
    this.age()
  }

  age(): void {
    const now = this.clock.monotonic()
    for (const one of this.held) one.certain &&= now - one.at < this.#windowMs
    this.held = this.held.filter(({ at, slackMs }) => now - at < this.#windowMs + slackMs)
  }
}

/** What is seen is right for what is held: a number between what must and what may be there, and its quantiles. */
export function expectMetrics(seen: WindowMetrics, held: readonly Held[]): void {
  const counted = held.filter(({ outcome: { result } }) => result !== 'aborted' && result !== 'rejected')
  expectCount(
    seen.aborted,
    held.filter(({ outcome }) => outcome.result === 'aborted'),
  )
  expectCount(
    seen.rejected,
    held.filter(({ outcome }) => outcome.result === 'rejected'),
  )
  expectCount(seen.total, counted)
  expectCount(
    seen.error,
    counted.filter(({ outcome }) => outcome.result !== 'ok'),
  )
  expectCount(
    seen.timeout,
    counted.filter(({ outcome }) => outcome.result === 'timeout'),
  )
  expect(seen.success + seen.error).to.equal(seen.total)
  expect(seen.errorRate).to.equal(seen.total === 0 ? 0 : seen.error / seen.total)
  expect(seen.timeoutRate).to.equal(seen.total === 0 ? 0 : seen.timeout / seen.total)

  // Oldest leave first, so that the number alone says which are left.
  const left = counted.slice(counted.length - seen.total).map(({ outcome }) => outcome)
  const latencies = left.map(({ latencyMs }) => latencyMs)
  expectNear(seen.avgLatencyMs, mean(latencies))
  expectNear(seen.p50LatencyMs, quantile(latencies, 0.5))
  expectNear(seen.p95LatencyMs, quantile(latencies, 0.95))
  expectNear(seen.p99LatencyMs, quantile(latencies, 0.99))
  const firstContents = left.flatMap(({ firstContentMs }) => firstContentMs ?? [])
  expectNear(seen.avgFirstContentMs, mean(firstContents))
  expectNear(seen.p95FirstContentMs, quantile(firstContents, 0.95))
}

function expectCount(seen: number, held: readonly Held[]): void {
  expect(seen).to.be.within(held.filter(({ certain }) => certain).length, held.length)
}

function expectNear(seen: number, right: number): void {
  expect(seen).to.be.closeTo(right, right * TOLERANCE)
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length

const quantile = (values: readonly number[], p: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(p * values.length) - 1)] ?? 0
