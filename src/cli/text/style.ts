import { styleText } from 'node:util'
import type { Output } from './output.js'

type Paint = (text: string) => string

/** Colours of the command line; each leaves the text as it is where there are none. */
export interface Style {
  readonly bold: Paint
  readonly dim: Paint
  readonly good: Paint
  readonly warning: Paint
  readonly bad: Paint
}

/** Colours on a screen alone, and not where NO_COLOR is set (no-color.org) or the terminal knows none. */
export function styleOf(
  { columns }: Pick<Output, 'columns'>,
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const isColoured = columns !== undefined && !env.NO_COLOR && env.TERM !== 'dumb'
  const paint =
    (format: 'bold' | 'dim' | 'green' | 'yellow' | 'red'): Paint =>
    (text) =>
      isColoured && text !== '' ? styleText(format, text, { validateStream: false }) : text
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    good: paint('green'),
    warning: paint('yellow'),
    bad: paint('red'),
  }
}
