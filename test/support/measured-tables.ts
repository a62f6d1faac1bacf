/** Tables of what was measured, and the place of a document that a run writes them into. */

import { readFileSync, writeFileSync } from 'node:fs'

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Replaces what a file has between two markers. @throws when the file does not have them, in this order */
export function writeBetween(file: string, first: string, last: string, text: string): void {
  const document = readFileSync(file, 'utf8')
  const begin = document.indexOf(first)
  const end = document.indexOf(last)
  if (begin < 0 || end < begin) throw new Error(`${file} has no ${first} … ${last}`)
  writeFileSync(file, `${document.slice(0, begin + first.length)}\n\n${text}\n\n${document.slice(end)}`)
}
