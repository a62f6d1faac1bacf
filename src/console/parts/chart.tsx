import { useState } from 'preact/hooks'
import { clockTime } from '../text/format.js'
import { t } from '../text/language.js'
import { type Line, Plot, type PlotProps } from './plot.js'
import { Scroll } from './scroll.js'

/** A small chart over time that can also be read as a table. */

interface Props extends PlotProps {
  readonly title: string
}

/** Of everything that can be read both ways. */
export const CHART = {
  table: { en: 'as a table', 'zh-CN': '以表格显示' },
  chart: { en: 'as a chart', 'zh-CN': '以图表显示' },
  time: { en: 'Time', 'zh-CN': '时间' },
  empty: { en: 'No figures yet.', 'zh-CN': '暂无数据。' },
}

export function Chart(props: Props) {
  const [asTable, setAsTable] = useState(false)
  const latest = (line: Line): string => {
    const value = line.values.at(-1)
    return value === null || value === undefined ? '–' : props.format(value)
  }
  return (
    <figure class="chart">
      <figcaption>
        <strong>{props.title}</strong>
        <button type="button" class="plain" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          {t(asTable ? CHART.chart : CHART.table)}
        </button>
      </figcaption>
      <ul class="legend">
        {props.lines.map((line) => (
          <li key={line.name}>
            <i class={line.dashed ? 'dashed' : ''} ref={(node) => colour(node, line.color)} />
            {line.name} <b class="figure">{latest(line)}</b>
          </li>
        ))}
        {props.levels?.map((level) => (
          <li key={level.name}>
            <i class="level" />
            {level.name} <b class="figure">{props.format(level.value)}</b>
          </li>
        ))}
      </ul>
      {props.times.length === 0 ? (
        <p class="quiet">{t(CHART.empty)}</p>
      ) : asTable ? (
        <Table {...props} />
      ) : (
        <Plot {...props} />
      )}
    </figure>
  )
}

/** By the object model: the policy of the page refuses style attributes. */
function colour(node: HTMLElement | null, name: string): void {
  if (node !== null) node.style.borderColor = `var(${name})`
}

const ROWS = 60

function Table({ title, times, lines, format }: Props) {
  const step = Math.max(1, Math.ceil(times.length / ROWS))
  const rows = times.map((_, at) => at).filter((at) => (times.length - 1 - at) % step === 0)
  return (
    <Scroll name={title} kind="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">{t(CHART.time)}</th>
            {lines.map((line) => (
              <th scope="col" key={line.name} class="number">
                {line.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.reverse().map((at) => (
            <tr key={times[at]}>
              <th scope="row">{clockTime(times[at] ?? 0)}</th>
              {lines.map((line) => {
                const value = line.values[at]
                return (
                  <td key={line.name} class="number">
                    {value === null || value === undefined ? '–' : format(value)}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
