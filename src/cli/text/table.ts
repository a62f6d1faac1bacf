import stringWidth from 'string-width'

/** Lines with their columns below each other, two blanks apart; a Chinese character takes two places, a colour none. */
export function table(rows: readonly (readonly string[])[], indent = ''): string {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => stringWidth(row[column] ?? ''))),
  )
  const lines = rows.map((row) => indent + row.map((cell, at) => padded(cell, widths[at] ?? 0)).join('  '))
  return lines.map((line) => `${line.trimEnd()}\n`).join('')
}

export const padded = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - stringWidth(text)))

/** Text of others does not steer the terminal: control characters become blanks, line breaks stay. */
export const printable = (text: string): string => text.replace(/[^\P{Cc}\n]/gu, ' ')

/** The same on one line. */
export const oneLine = (text: string): string => text.replace(/\p{Cc}+/gu, ' ')
