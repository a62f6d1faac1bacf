import type { ExecutionMode } from '../../protocol/modes.js'
import type { TimeDistribution } from '../../protocol/shadow-report.js'
import { duration, share } from '../text/format.js'
import { t } from '../text/language.js'
import { DIMENSIONS, SHADOW } from '../text/shadow.js'

const WIDTH = 480
const HEIGHT = 170
/** Below the bars: the times. */
const FOOT = 22
const TICKS = 5
/** Ticks keep clear of the edges. */
const INSET = 24

/** Both sides as steps over each other, in the colours of their backends. */
export function Histogram({
  distribution: { dimension, bins },
  control,
  candidate,
}: {
  readonly distribution: TimeDistribution
  readonly control: ExecutionMode
  readonly candidate: ExecutionMode
}) {
  const top = Math.max(...bins.flatMap((bin) => [bin.control, bin.candidate]))
  const x = (at: number): number => (at / bins.length) * WIDTH
  const y = (value: number): number => (HEIGHT - FOOT) * (top === 0 ? 1 : 1 - (0.94 * value) / top)
  const steps = (values: readonly number[]): string =>
    `M0 ${HEIGHT - FOOT} ${values.map((value, at) => `L${x(at)} ${y(value)} L${x(at + 1)} ${y(value)}`).join(' ')} L${WIDTH} ${HEIGHT - FOOT} Z`
  const every = Math.max(1, Math.ceil(bins.length / TICKS))
  return (
    <svg
      class="histogram"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={`${t(DIMENSIONS[dimension])}: ${most(bins, 'control')}; ${most(bins, 'candidate')}`}
    >
      <path class={candidate} d={steps(bins.map((bin) => bin.candidate))} />
      <path class={control} d={steps(bins.map((bin) => bin.control))} />
      <line class="axis" x1={0} x2={WIDTH} y1={HEIGHT - FOOT} y2={HEIGHT - FOOT} />
      {bins.map(
        ({ fromMs }, at) =>
          at % every === 0 && (
            <text key={fromMs} x={Math.min(Math.max(x(at), INSET), WIDTH - INSET)} y={HEIGHT - 4}>
              {duration(fromMs)}
            </text>
          ),
      )}
    </svg>
  )
}

/** Where most of a side is, for who does not see the picture. */
function most(bins: TimeDistribution['bins'], side: 'control' | 'candidate'): string {
  const highest = bins.reduce((found, bin) => (bin[side] > found[side] ? bin : found))
  return `${t(SHADOW[side])} ${duration(highest.fromMs)} – ${duration(highest.toMs)} ${share(highest[side])}`
}
