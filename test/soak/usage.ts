export const USAGE = `Runs two replicas under mixed traffic and faults for a long time, and looks whether anything grows or gets stuck.

Usage: npm run soak -- [options]

  npm run soak                   30 minutes
  npm run soak -- --minutes 60   so many minutes; --hours n likewise
  npm run soak -- --write        puts the table into docs/reliability.md
  npm run soak -- --help         this text

After a fifth of the time the caches that keep sessions are filled, which takes some minutes; growth is judged from
6 min after that. A run below 30 minutes is too short for both; it still checks turns, sessions and exits.

Exit code: 0 nothing grows and nothing broke, 1 something did, 2 wrong usage.
`

export type Asked =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly fault: string }
  | { readonly kind: 'run'; readonly minutes: number; readonly write: boolean }

const DEFAULT_MINUTES = 30
const MOST_MINUTES = 7 * 24 * 60

/** Pure. */
export function askedOf(argv: readonly string[]): Asked {
  let minutes = DEFAULT_MINUTES
  let write = false
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at]
    if (word === '--help' || word === '-h') return { kind: 'help' }
    if (word === '--write') write = true
    else if (word === '--minutes' || word === '--hours') {
      at += 1
      minutes = Number(argv[at]) * (word === '--hours' ? 60 : 1)
      if (!(minutes >= 1 && minutes <= MOST_MINUTES))
        return { kind: 'wrong', fault: `${word} takes a number: from 1 minute to 7 days` }
    } else return { kind: 'wrong', fault: `Unknown option: ${word}` }
  }
  return { kind: 'run', minutes, write }
}
