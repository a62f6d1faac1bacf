import { useState } from 'preact/hooks'
import type { ShadowReport, TimeDistribution } from '../../protocol/shadow-report.js'
import { CHART } from '../parts/chart.js'
import { Scroll } from '../parts/scroll.js'
import { duration, share } from '../text/format.js'
import { t } from '../text/language.js'
import { DIMENSIONS, SHADOW } from '../text/shadow.js'
import { Histogram } from './histogram.js'

/** The times of both sides over each other; also as tables. */
export function Distributions({ report }: { readonly report: ShadowReport }) {
  return (
    <section class="card" aria-labelledby="distributions">
      <h2 id="distributions">{t(SHADOW.distributions)}</h2>
      <p class="quiet">{t(SHADOW.distributionsHint)}</p>
      <div class="charts">
        {report.distributions.map((distribution) => (
          <Distribution key={distribution.dimension} distribution={distribution} report={report} />
        ))}
      </div>
    </section>
  )
}

function Distribution({
  distribution,
  report: { control, candidate },
}: {
  readonly distribution: TimeDistribution
  readonly report: ShadowReport
}) {
  const [asTable, setAsTable] = useState(false)
  const { dimension, bins } = distribution
  return (
    <figure class="chart distribution">
      <figcaption>
        <strong>{t(DIMENSIONS[dimension])}</strong>
        <button type="button" class="plain" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          {t(asTable ? CHART.chart : CHART.table)}
        </button>
      </figcaption>
      <ul class="legend">
        <li>
          <i class={control} />
          {t(SHADOW.control)}
        </li>
        <li>
          <i class={candidate} />
          {t(SHADOW.candidate)}
        </li>
      </ul>
      {bins.length === 0 ? (
        <p class="quiet">{t(SHADOW.noPairs)}</p>
      ) : asTable ? (
        <Table distribution={distribution} />
      ) : (
        <Histogram distribution={distribution} control={control} candidate={candidate} />
      )}
    </figure>
  )
}

function Table({
  distribution: { dimension, bins, controlBeyond },
}: {
  readonly distribution: TimeDistribution
}) {
  return (
    <Scroll name={t(DIMENSIONS[dimension])} kind="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">{t(SHADOW.time)}</th>
            <th scope="col" class="number">
              {t(SHADOW.control)}
            </th>
            <th scope="col" class="number">
              {t(SHADOW.candidate)}
            </th>
          </tr>
        </thead>
        <tbody>
          {bins.map(({ fromMs, toMs, control, candidate }) => (
            <tr key={fromMs}>
              <th scope="row">
                {duration(fromMs)} – {duration(toMs)}
              </th>
              <td class="number">{share(control)}</td>
              <td class="number">{share(candidate)}</td>
            </tr>
          ))}
          {controlBeyond > 0 && (
            <tr>
              <th scope="row">{t(SHADOW.beyond)}</th>
              <td class="number">{share(controlBeyond)}</td>
              <td class="number">–</td>
            </tr>
          )}
        </tbody>
      </table>
    </Scroll>
  )
}
