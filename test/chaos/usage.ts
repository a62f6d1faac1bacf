export const USAGE = `Breaks runtime, flagd, flag files, disk and replicas under traffic, as real processes, and prints what the users saw of it.

Usage: npm run chaos -- [options] [word...]

  npm run chaos                     every drill and every number, in about eight minutes
  npm run chaos -- killed flagd     the drills whose name has one of these words, one after another
  npm run chaos -- --numbers        the numbers alone
  npm run chaos -- fleet            the drills of three replicas with PostgreSQL and Redis, each in a network namespace of its own
  npm run chaos -- fleet redis      those of them whose name has one of these words
  npm run chaos -- --list           the names of the drills; also with fleet
  npm run chaos -- --write          puts what was run into docs/reliability.md; also with --numbers
  npm run chaos -- --help           this text

Read-only and full disks need root, to mount a tmpfs; without it they are left out, and the table says so. The drills of fleet
need root, iproute2, PostgreSQL and redis-server as well, and run only where they are asked for.

Exit code: 0 all passed and every target met, 1 not, 2 wrong usage.
`

/** What a command line asks for. */
export type Asked =
  | { readonly kind: 'help' }
  | { readonly kind: 'list'; readonly suite: Suite }
  | { readonly kind: 'wrong'; readonly fault: string }
  | {
      readonly kind: 'run'
      readonly suite: Suite
      /** of the drills to run, in the order they were given */
      readonly names: readonly string[]
      /** no word was given */
      readonly isAll: boolean
      readonly numbers: boolean
      readonly write: boolean
    }

/** The drills on one machine's files, or those of `fleet`. */
export type Suite = 'files' | 'fleet'

const OPTIONS = ['--numbers', '--list', '--write', '--help', '-h']

/** Pure. `names`: of all drills; a word that is in none of them is wrong, so that a slip does not pass as a success. */
export function askedOf(argv: readonly string[], names: Readonly<Record<Suite, readonly string[]>>): Asked {
  const options = argv.filter((word) => word.startsWith('-'))
  const given = argv.filter((word) => !word.startsWith('-'))
  const suite = given[0] === 'fleet' ? 'fleet' : 'files'
  const words = suite === 'fleet' ? given.slice(1) : given
  const drills = names[suite]
  const has = (option: string): boolean => options.includes(option)
  const unknown = options.find((option) => !OPTIONS.includes(option))
  if (unknown !== undefined) return { kind: 'wrong', fault: `Unknown option: ${unknown}` }
  if (has('--help') || has('-h')) return { kind: 'help' }
  if (has('--list')) return { kind: 'list', suite }
  if (has('--numbers') && given.length > 0)
    return { kind: 'wrong', fault: '--numbers runs no drills: leave out the words' }
  const nowhere = words.find((word) => !drills.some((name) => name.includes(word)))
  if (nowhere !== undefined)
    return { kind: 'wrong', fault: `No drill has "${nowhere}" in its name; --list tells them` }
  const isAll = words.length === 0
  const asked = drills.filter((name) => isAll || words.some((word) => name.includes(word)))
  return {
    kind: 'run',
    suite,
    names: has('--numbers') ? [] : asked,
    isAll,
    numbers: isAll && suite === 'files',
    write: has('--write'),
  }
}
