import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { errorText } from '../../src/core/errors.js'
import { TARGETS } from './targets.js'

/** `npm run fuzz`. A finding is kept in `data/fuzz/`, in the form of the corpus. */
const USAGE = `Fuzzes each target in turn until the time is over. A finding is printed with its smallest input and kept in data/fuzz/.

Usage: npm run fuzz -- [options]

Options:
  --minutes N   default 10
  --seed N      repeats the run that printed this seed
  --only NAME   one target alone: ${TARGETS.map(({ name }) => name).join(', ')}
  -h, --help    this text

Exit code: 0 nothing found, 1 something, 2 wrong usage.
`
const { minutes, seed, targets } = asked()

function asked() {
  const wrong = (text: string): never => {
    process.stderr.write(`${text}\nTry: npm run fuzz -- --help\n`)
    process.exit(2)
  }
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '10' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
        only: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(USAGE)
      process.exit(0)
    }
    const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
    if (!(minutes > 0) || !Number.isInteger(seed))
      return wrong('--minutes takes a number above 0, --seed a whole one')
    const targets = TARGETS.filter(({ name }) => values.only === undefined || name === values.only)
    if (targets.length === 0)
      return wrong(`--only takes one of ${TARGETS.map(({ name }) => name).join(', ')}`)
    return { minutes, seed, targets }
  } catch (thrown) {
    return wrong(errorText(thrown))
  }
}

const SLICE_MS = Math.min(10_000, (minutes * 60_000) / targets.length)
const endAt = performance.now() + minutes * 60_000
const runs = new Map<string, number>()
const findings = new Map<string, string>()

process.stdout.write(
  `fuzzing ${targets.map(({ name }) => name).join(', ')} for ${minutes} min, seed ${seed}\n`,
)
for (let slice = 0; performance.now() < endAt; slice += 1)
  for (const target of targets) {
    const property = target.property()
    const told = await fc.check(property, {
      seed: seed + slice,
      numRuns: 1_000_000_000,
      interruptAfterTimeLimit: Math.min(SLICE_MS, Math.max(1, endAt - performance.now())),
    })
    await target.close()
    runs.set(target.name, (runs.get(target.name) ?? 0) + told.numRuns)
    if (told.failed && told.counterexample !== null) keep(target.name, seed + slice, told)
    if (performance.now() >= endAt) break
  }

for (const [name, count] of runs) process.stdout.write(`${name}: ${count} inputs\n`)
process.stdout.write(findings.size === 0 ? 'no findings\n' : `${findings.size} findings\n`)
process.exitCode = findings.size === 0 ? 0 : 1

function keep(name: string, usedSeed: number, told: fc.RunDetails<[unknown]>): void {
  const error = told.errorInstance instanceof Error ? told.errorInstance.message : String(told.errorInstance)
  const kind = `${name}: ${error.split('\n')[0]?.slice(0, 80)}`
  if (findings.has(kind)) return
  const file = `data/fuzz/${name}-${findings.size + 1}.json`
  findings.set(kind, file)
  mkdirSync('data/fuzz', { recursive: true })
  writeFileSync(
    file,
    `${JSON.stringify([{ about: error.slice(0, 200), input: told.counterexample?.[0] }], null, 2)}\n`,
  )
  process.stdout.write(
    `\n${kind}\n  seed ${usedSeed}, path ${told.counterexamplePath}; kept in ${file}\n${error.slice(0, 1500)}\n`,
  )
}
