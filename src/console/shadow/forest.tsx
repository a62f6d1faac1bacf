import type { ShadowDimensionReport, ShadowReport, ShadowVerdict } from '../../protocol/shadow-report.js'
import { Scroll } from '../parts/scroll.js'
import { count, duration, share } from '../text/format.js'
import { language, t } from '../text/language.js'
import { DIMENSIONS, SHADOW } from '../text/shadow.js'

export const COLOURS: Readonly<Record<ShadowVerdict, string>> = {
  better: 'good',
  same: '',
  worse: 'bad',
  insufficient_data: 'warn',
}

/** Each dimension on a line of its own: the change, its interval, the margin and the noise, on one scale a dimension. */
export function Forest({ report: { dimensions } }: { readonly report: ShadowReport }) {
  return (
    <section class="card" aria-labelledby="dimensions">
      <h2 id="dimensions">{t(SHADOW.dimensions)}</h2>
      <p class="quiet">{t(SHADOW.forest)}</p>
      <Scroll name={t(SHADOW.dimensions)}>
        <table class="forest">
          <thead>
            <tr>
              <th scope="col">{t(SHADOW.dimension)}</th>
              <th scope="col" class="number">
                {t(SHADOW.control)}
              </th>
              <th scope="col" class="number">
                {t(SHADOW.candidate)}
              </th>
              <th scope="col">{t(SHADOW.net)}</th>
              <th scope="col">{t(SHADOW.verdict)}</th>
            </tr>
          </thead>
          <tbody>
            {dimensions.map((dimension) => (
              <tr key={dimension.dimension}>
                <th scope="row">{t(DIMENSIONS[dimension.dimension])}</th>
                <td class="number">{inUnit(dimension, dimension.control)}</td>
                <td class="number">{inUnit(dimension, dimension.candidate)}</td>
                <td>
                  <Interval dimension={dimension} />
                </td>
                <td>
                  <span class={`badge ${COLOURS[dimension.verdict]}`}>{t(SHADOW[dimension.verdict])}</span>
                  <small>{dimension.sentence[language.value]}</small>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  )
}

/** Half the width of the drawing. */
const HALF = 120
const HEIGHT = 28

function Interval({ dimension }: { readonly dimension: ShadowDimensionReport }) {
  const { net, margin, verdict } = dimension
  if (net === null) return <span class="quiet">{t(SHADOW.noInterval)}</span>
  const floor = dimension.relative === null ? dimension.floor : dimension.floorRelative
  const widest = Math.max(
    ...[net.low, net.high, floor?.low, floor?.high, margin].map((value) => Math.abs(value ?? 0)),
  )
  const x = (value: number): number => HALF + (widest === 0 ? 0 : (value / widest) * (HALF - 8))
  const text = `${change(dimension, net.value)} (${change(dimension, net.low)} … ${change(dimension, net.high)})`
  return (
    <div class="interval">
      <svg viewBox={`0 0 ${HALF * 2} ${HEIGHT}`} role="img" aria-label={text} class={COLOURS[verdict]}>
        {margin !== null && (
          <rect class="margin" x={x(-margin)} width={x(margin) - x(-margin)} y={0} height={HEIGHT} />
        )}
        <line class="zero" x1={HALF} x2={HALF} y1={0} y2={HEIGHT} />
        {floor !== null && <line class="floor" x1={x(floor.low)} x2={x(floor.high)} y1={22} y2={22} />}
        <line class="net" x1={x(net.low)} x2={x(net.high)} y1={12} y2={12} />
        <circle class="net" cx={x(net.value)} cy={12} r={5} />
      </svg>
      <span class="figure unbroken">{text}</span>
    </div>
  )
}

function inUnit({ unit }: ShadowDimensionReport, value: number | null): string {
  if (value === null) return '–'
  switch (unit) {
    case 'share':
      return share(value)
    case 'ms':
      return duration(value)
    case 'similarity':
      return value.toFixed(2)
    case 'characters':
    case 'tokens':
      return count(Math.round(value))
  }
}

/** With its sign; of times as a share of the control's. */
function change(dimension: ShadowDimensionReport, value: number): string {
  const sign = value > 0 ? '+' : value < 0 ? '−' : ''
  const size = Math.abs(value)
  if (dimension.relative !== null) return `${sign}${share(size)}`
  if (dimension.unit === 'share') return `${sign}${(size * 100).toFixed(1)} pp`
  return `${sign}${inUnit(dimension, size)}`
}
