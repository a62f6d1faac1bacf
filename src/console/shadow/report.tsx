import { shadowDropsText } from '../../protocol/execution-results.js'
import type { ShadowReport } from '../../protocol/shadow-report.js'
import { Scroll } from '../parts/scroll.js'
import { Time } from '../parts/states.js'
import { count } from '../text/format.js'
import { language, t } from '../text/language.js'
import { MODES } from '../text/parts.js'
import { SHADOW } from '../text/shadow.js'
import { Distributions } from './distributions.js'
import { COLOURS, Forest } from './forest.js'
import { Pairs } from './pairs.js'

/** The verdict in a sentence, whether to trust it, each dimension, and what is behind them. */
export function Report({ report }: { readonly report: ShadowReport }) {
  return (
    <>
      <section class={`now ${COLOURS[report.verdict]}`}>
        <p>
          <span class={`badge ${COLOURS[report.verdict]}`}>{t(SHADOW[report.verdict])}</span>{' '}
          {report.sentence[language.value]}
        </p>
        <p class="why">
          {t(SHADOW.sides, { control: t(MODES[report.control]), candidate: t(MODES[report.candidate]) })} ·{' '}
          <Time at={report.from} /> – <Time at={report.to} />
        </p>
      </section>
      {report.pairs.ab + report.pairs.aa === 0 && (
        <p class="notice" role="status">
          {t(SHADOW.noShadow)}
        </p>
      )}
      {!report.trust.trusted && (
        <p class="notice bad" role="alert">
          {t(SHADOW.untrusted)}
        </p>
      )}
      <Checks checks={report.trust.checks} />
      <Forest report={report} />
      <Distributions report={report} />
      <Behind report={report} />
      <Pairs report={report} />
    </>
  )
}

/** Whether the pairs are still the sample that was drawn: each test with what it found. */
function Checks({ checks }: Pick<ShadowReport['trust'], 'checks'>) {
  if (checks.length === 0) return null
  return (
    <ul class="checks">
      {checks.map(({ check, chiSquare, critical }) => (
        <li key={check}>
          <span class={`badge ${chiSquare > critical ? 'bad' : 'good'}`}>
            {t(chiSquare > critical ? SHADOW.checkFailed : SHADOW.checkPassed)}
          </span>{' '}
          {t(SHADOW[check])}{' '}
          <small class="figure">
            χ² {chiSquare.toFixed(1)} ({t(SHADOW.critical)} {critical.toFixed(1)})
          </small>
        </li>
      ))}
    </ul>
  )
}

function Behind({
  report: { pairs, left, shadows, fenceViolations, outcomes },
}: {
  readonly report: ShadowReport
}) {
  const codes = [
    ...new Set([...Object.keys(outcomes.control.codes), ...Object.keys(outcomes.candidate.codes)]),
  ]
  return (
    <section class="card" aria-labelledby="outcomes">
      <h2 id="outcomes">{t(SHADOW.outcomes)}</h2>
      <dl class="facts">
        <div>
          <dt>{t(SHADOW.pairs)}</dt>
          <dd class="figure">{count(pairs.ab)}</dd>
        </div>
        <div>
          <dt>{t(SHADOW.floorPairs)}</dt>
          <dd class="figure">{count(pairs.aa)}</dd>
        </div>
        <div>
          <dt>{t(SHADOW.left)}</dt>
          <dd class="figure">{count(left.ab + left.aa)}</dd>
        </div>
        <div>
          <dt>{t(SHADOW.failed)}</dt>
          <dd class="figure">{count(shadows.failed)}</dd>
        </div>
        <div>
          <dt>{t(SHADOW.fence)}</dt>
          <dd class="figure">
            <span class={fenceViolations > 0 ? 'badge bad' : ''}>{count(fenceViolations)}</span>
          </dd>
        </div>
        <div>
          <dt>{t(SHADOW.dropped)}</dt>
          <dd class="figure">{shadowDropsText(shadows.dropped, language.value)}</dd>
        </div>
      </dl>
      <Scroll name={t(SHADOW.outcomes)}>
        <table>
          <thead>
            <tr>
              <th scope="col" />
              <th scope="col" class="number">
                {t(SHADOW.control)}
              </th>
              <th scope="col" class="number">
                {t(SHADOW.candidate)}
              </th>
            </tr>
          </thead>
          <tbody>
            {(['ok', 'error', 'timeout'] as const).map((kind) => (
              <tr key={kind}>
                <th scope="row">{t(SHADOW[kind])}</th>
                <td class="number">{count(outcomes.control[kind])}</td>
                <td class="number">{count(outcomes.candidate[kind])}</td>
              </tr>
            ))}
            {codes.map((code) => (
              <tr key={code}>
                <th scope="row">
                  <code>{code}</code>
                </th>
                <td class="number">{count(outcomes.control.codes[code] ?? 0)}</td>
                <td class="number">{count(outcomes.candidate.codes[code] ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  )
}
