/** Plots for docs/limits.md: what was served over what was asked, and what each org got. */

export interface ServedPoint {
  /** turns a second */
  readonly asked: number
  readonly served: number
}

export interface OrgBar extends ServedPoint {
  readonly name: string
}

const WIDTH = 760
const HEIGHT = 300
const LEFT = 56
const BOTTOM = 250
const TOP = 40
const PANEL = 290
const SECOND = 430

const text = (x: number, y: number, words: string, more = ''): string =>
  `<text x="${x}" y="${y}" ${more}>${words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`

const line = (x1: number, y1: number, x2: number, y2: number, style: string): string =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" ${style}/>`

const AXIS = 'stroke="#888" stroke-width="1"'
const IDEAL = 'stroke="#bbb" stroke-dasharray="4 4"'
const SERVED = '#2563eb'
const ASKED = '#d4d4d8'

/** One picture, white behind it, so that it can be read in light and dark pages. */
export function overloadPlot(curve: readonly ServedPoint[], orgs: readonly OrgBar[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11" fill="#333">
<title>Turns served over turns asked for, and what each organisation got</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${curvePanel(curve)}
${orgPanel(orgs)}
</svg>
`
}

function curvePanel(curve: readonly ServedPoint[]): string {
  const most = Math.max(1, ...curve.map(({ asked }) => asked))
  const peak = Math.max(1, ...curve.map(({ served }) => served))
  const x = (asked: number): number => LEFT + (asked / most) * PANEL
  const y = (served: number): number => BOTTOM - (served / (peak * 1.15)) * (BOTTOM - TOP)
  const points = [...curve].sort((a, b) => a.asked - b.asked)
  const path = points.map(({ asked, served }) => `${x(asked).toFixed(1)},${y(served).toFixed(1)}`).join(' ')
  return [
    text(LEFT, 20, 'Complete turns a second, over turns asked for', 'font-weight="bold"'),
    line(LEFT, BOTTOM, LEFT + PANEL, BOTTOM, AXIS),
    line(LEFT, BOTTOM, LEFT, TOP, AXIS),
    line(x(0), y(0), x(peak), y(peak), IDEAL),
    line(LEFT, y(peak), LEFT + PANEL, y(peak), IDEAL),
    `<polyline points="${path}" fill="none" stroke="${SERVED}" stroke-width="2"/>`,
    ...points.map(
      ({ asked, served }) =>
        `<circle cx="${x(asked).toFixed(1)}" cy="${y(served).toFixed(1)}" r="3" fill="${SERVED}"/>`,
    ),
    text(LEFT - 6, y(peak) + 4, peak.toFixed(0), 'text-anchor="end"'),
    text(LEFT - 6, BOTTOM + 4, '0', 'text-anchor="end"'),
    text(x(peak), BOTTOM + 16, peak.toFixed(0), 'text-anchor="middle"'),
    text(LEFT + PANEL, BOTTOM + 16, most.toFixed(0), 'text-anchor="middle"'),
    text(LEFT + PANEL / 2, BOTTOM + 34, 'asked for, 1/s', 'text-anchor="middle"'),
  ].join('\n')
}

function orgPanel(orgs: readonly OrgBar[]): string {
  const most = Math.max(1, ...orgs.map(({ asked }) => asked))
  // The greedy org asks for many times what the others do: by its root the small bars can be seen.
  const y = (rate: number): number => BOTTOM - Math.sqrt(rate / most) * (BOTTOM - TOP)
  const step = PANEL / Math.max(1, orgs.length)
  const bar = (at: number, rate: number, colour: string, share: number): string =>
    `<rect x="${(SECOND + at * step + (step * (1 - share)) / 2).toFixed(1)}" y="${y(rate).toFixed(1)}" width="${(step * share).toFixed(1)}" height="${(BOTTOM - y(rate)).toFixed(1)}" fill="${colour}"/>`
  return [
    text(SECOND, 20, 'Asked for (grey) and served (blue), by org; square root', 'font-weight="bold"'),
    ...orgs.flatMap(({ name, asked, served }, at) => [
      bar(at, asked, ASKED, 0.8),
      bar(at, served, SERVED, 0.5),
      text(SECOND + at * step + step / 2, BOTTOM + 14, name, 'text-anchor="middle" font-size="9"'),
      text(
        SECOND + at * step + step / 2,
        y(asked) - 4,
        asked.toFixed(0),
        'text-anchor="middle" font-size="9"',
      ),
    ]),
    line(SECOND, BOTTOM, SECOND + PANEL, BOTTOM, AXIS),
    text(SECOND + PANEL / 2, BOTTOM + 34, 'turns a second', 'text-anchor="middle"'),
  ].join('\n')
}
