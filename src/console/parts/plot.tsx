import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { clockTime } from '../text/format.js'
import { language } from '../text/language.js'
import { dark } from './theme.js'

/** Lines over time, drawn by uPlot, with levels and marks over them. */

export interface Line {
  readonly name: string
  /** of the style sheet, as `--runtime` */
  readonly color: string
  /** one for each instant; null where there is nothing */
  readonly values: readonly (number | null)[]
  readonly dashed?: boolean
}

/** A level that means something, as a threshold of the guardrails. */
export interface Level {
  readonly name: string
  readonly value: number
  /** many times what is usual: drawn only where the lines come near it, so that they are not flattened */
  readonly far?: true
}

/** Something that happened. */
export interface Mark {
  readonly at: number
  readonly name: string
}

/** What a chart is drawn from. */
export interface PlotProps {
  /** ms since 1970, ascending */
  readonly times: readonly number[]
  readonly lines: readonly Line[]
  readonly levels?: readonly Level[]
  readonly marks?: readonly Mark[]
  readonly format: (value: number) => string
  /** the least top of the scale: a line of zeros needs one too; default 1 */
  readonly top?: number
}

export function Plot({ times, lines, levels = [], marks = [], format, top = 1 }: PlotProps) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const [rem, setRem] = useState(remOf)
  const drawn = useRef({ levels, marks })
  drawn.current = { levels, marks }
  const shape = lines.map((line) => `${line.name}${line.color}${line.dashed}`).join()
  useEffect(() => {
    const node = box.current
    if (node === null) return
    const height = HEIGHT * rem
    const made = new uPlot(
      options({ width: node.clientWidth, height, rem, lines, format, top, drawn }),
      dataOf(times, lines, levels),
      node,
    )
    plot.current = made
    const resize = new ResizeObserver(() => {
      made.setSize({ width: node.clientWidth, height })
      // The window moved onto a larger display: axes get their fonts only when the plot is made.
      setRem(remOf())
    })
    resize.observe(node)
    return () => {
      resize.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [shape, dark.value, language.value, rem])
  useEffect(() => plot.current?.setData(dataOf(times, lines, levels)), [times, lines, levels])
  const newest = lines.map((line) => `${line.name} ${line.values.at(-1) ?? '–'}`).join(', ')
  return <div ref={box} class="plot" role="img" aria-label={newest} />
}

/** Levels that are not far go in as a line of their own, so that the scale always shows them. */
function dataOf(
  times: readonly number[],
  lines: readonly Line[],
  levels: readonly Level[],
): uPlot.AlignedData {
  const near = levels.flatMap(({ value, far }) => (far === true ? [] : [value]))
  return [
    times.map((at) => at / 1000),
    ...lines.map((line) => [...line.values]),
    near.length === 0 ? times.map(() => null) : times.map(() => Math.max(...near)),
  ]
}

interface Look extends Required<Pick<PlotProps, 'lines' | 'format' | 'top'>> {
  readonly width: number
  readonly height: number
  /** how much larger than usual the text of the page is */
  readonly rem: number
  /** what is drawn over the lines, as it is at that moment */
  readonly drawn: { readonly current: Required<Pick<PlotProps, 'levels' | 'marks'>> }
}

/** s between two times of the axis: each about the double of the one before, so that some fit into every span */
const TIME_STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600]
/** px at the usual size of text */
const HEIGHT = 150
const FONT = 12
/** of a time under the axis: half of it may lie beyond the end of the lines */
const TIME_WIDTH = 60

/** The text of the page is larger on a wall display. */
const remOf = (): number => Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16

function options({ width, height, rem, lines, format, top, drawn }: Look): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const color = (name: string): string => style.getPropertyValue(name).trim()
  const axis = {
    stroke: color('--quiet'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    font: `${FONT * rem}px ${style.fontFamily}`,
  }
  return {
    width,
    height,
    legend: { show: false },
    padding: [null, (TIME_WIDTH / 2) * rem, null, null],
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_, _low, high) => [0, Math.max(high * 1.1, top)] } },
    axes: [
      {
        ...axis,
        values: (_, ticks) => ticks.map((at) => clockTime(at * 1000)),
        incrs: TIME_STEPS,
        space: 80 * rem,
        size: 30 * rem,
      },
      { ...axis, values: (_, ticks) => ticks.map(format), size: 58 * rem, space: 28 * rem },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.name,
        stroke: color(line.color),
        width: 2,
        points: { show: false },
        ...(line.dashed ? { dash: [6, 4] } : {}),
      })),
      { show: true, stroke: 'transparent', points: { show: false } },
    ],
    hooks: {
      draw: [
        (plot) => {
          for (const { value } of drawn.current.levels) level(plot, value, color('--bad'))
          for (const { at } of drawn.current.marks) mark(plot, at / 1000, color('--warn'))
        },
      ],
    },
  }
}

function level(plot: uPlot, value: number, stroke: string): void {
  const y = plot.valToPos(value, 'y', true)
  if (y < plot.bbox.top || y > plot.bbox.top + plot.bbox.height) return
  strokeLine(plot, stroke, [plot.bbox.left, y], [plot.bbox.left + plot.bbox.width, y])
}

function mark(plot: uPlot, at: number, stroke: string): void {
  const x = plot.valToPos(at, 'x', true)
  if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) return
  strokeLine(plot, stroke, [x, plot.bbox.top], [x, plot.bbox.top + plot.bbox.height])
}

type Point = readonly [number, number]

function strokeLine({ ctx }: uPlot, stroke: string, from: Point, to: Point): void {
  ctx.save()
  ctx.strokeStyle = stroke
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio])
  ctx.beginPath()
  ctx.moveTo(...from)
  ctx.lineTo(...to)
  ctx.stroke()
  ctx.restore()
}
