export const USAGE = `Breaks runtime, flagd, flag files, disk and replicas under traffic, as real processes, and prints what the users saw of it.

Usage: npm run chaos -- [options] [word...]

  npm run chaos                     every drill and every number, in about eight minutes
  npm run chaos -- killed flagd     the drills whose name has one of these words, one after another
  npm run chaos -- --numbers        the numbers alone
  npm run chaos -- --list           the names of the drills
  npm run chaos -- --write          puts what was run into docs/reliability.md; also with --numbers
  npm run chaos -- --help           this text

Read-only and full disks need root, to mount a tmpfs; without it they are left out, and the table says so.

Exit code: 0 all passed and every target met, 1 not, 2 wrong usage.
`

/** What a command line asks for. */
export type Asked =
  | { readonly kind: 'help' }
  | { readonly kind: 'list' }
  | { readonly kind: 'wrong'; readonly fault: string }
  | {
      readonly kind: 'run'
      /** of the drills to run, in the order they were given */
      readonly names: readonly string[]
      /** no word was given */
      readonly isAll: boolean
      readonly numbers: boolean
      readonly write: boolean
    }

const OPTIONS = ['--numbers', '--list', '--write', '--help', '-h']

/** Pure. `drills`: every name there is; a word that is in none of them is wrong, so that a slip does not pass as a success. */
export function askedOf(argv: readonly string[], drills: readonly string[]): Asked {
  const options = argv.filter((word) => word.startsWith('-'))
  const words = argv.filter((word) => !word.startsWith('-'))
  const given = (option: string): boolean => options.includes(option)
  const unknown = options.find((option) => !OPTIONS.includes(option))
  if (unknown !== undefined) return { kind: 'wrong', fault: `Unknown option: ${unknown}` }
  if (given('--help') || given('-h')) return { kind: 'help' }
  if (given('--list')) return { kind: 'list' }
  if (given('--numbers') && words.length > 0)
    return { kind: 'wrong', fault: '--numbers runs no drills: leave out the words' }
  const nowhere = words.find((word) => !drills.some((name) => name.includes(word)))
  if (nowhere !== undefined)
    return { kind: 'wrong', fault: `No drill has "${nowhere}" in its name; --list tells them` }
  const isAll = words.length === 0
  const names = drills.filter((name) => isAll || words.some((word) => name.includes(word)))
  return {
    kind: 'run',
    names: given('--numbers') ? [] : names,
    isAll,
    numbers: isAll,
    write: given('--write'),
  }
}
