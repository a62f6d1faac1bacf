import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Stryker } from '@stryker-mutator/core'
import { LEAST_SCORE, MODULES } from './modules.mjs'
import { resultOf, survivorText, table } from './results.mjs'

const DOCUMENT = 'docs/mutation.md'
const USAGE = `Changes the code in small ways, one at a time, and counts the changes that no test notices.

Usage: npm run mutation -- [options] [module...]

  npm run mutation                  every module, one after another
  npm run mutation -- decide        these modules alone: ${Object.keys(MODULES).join(', ')}
  npm run mutation -- --quick       leaves out what runs only while a module is loaded: constants; each costs a process of its own
  npm run mutation -- --sample 8    each eighth change alone, for a first impression
  npm run mutation -- --write       puts the rows of what was run into ${DOCUMENT}
  npm run mutation -- --help        this text

Exit code: 0 every module has at least ${LEAST_SCORE}%, 1 not, 2 wrong usage.
`

process.exitCode = await main(process.argv.slice(2))

async function main(words) {
  const { argv, oneIn } = sampleOf(words)
  const names = argv.filter((word) => !word.startsWith('-'))
  const options = argv.filter((word) => word.startsWith('-'))
  const wrong =
    options.find((option) => !['--quick', '--write', '--help', '-h'].includes(option)) ??
    names.find((name) => !Object.hasOwn(MODULES, name))
  if (wrong !== undefined) {
    process.stderr.write(`Unknown: ${wrong}\n\n${USAGE}`)
    return 2
  }
  if (options.includes('--help') || options.includes('-h')) {
    process.stdout.write(USAGE)
    return 0
  }
  const asked = names.length > 0 ? names : Object.keys(MODULES)
  const results = []
  for (const name of asked) {
    const isQuick = options.includes('--quick')
    const result = resultOf(name, await mutated(MODULES[name], isQuick, oneIn), { oneIn, isQuick })
    results.push(result)
    process.stdout.write(`\n${survivorText(result)}\n${table([result])}\n`)
  }
  process.stdout.write(`\n${table(results)}\n`)
  if (options.includes('--write')) writeTable(results)
  return results.every(({ score }) => score >= LEAST_SCORE) ? 0 : 1
}

/** `--sample n` taken out of the words; a wrong n stays, and is refused as an unknown word. */
function sampleOf(words) {
  const at = words.indexOf('--sample')
  const oneIn = Number(words[at + 1])
  const isRight = at >= 0 && Number.isInteger(oneIn) && oneIn >= 1
  return isRight ? { argv: words.toSpliced(at, 2), oneIn } : { argv: words, oneIn: 1 }
}

/** Runs one module; every mutant and what became of it. */
function mutated({ mutate, spec }, isQuick, oneIn) {
  return new Stryker({
    testRunner: 'mocha-here',
    plugins: [fileURLToPath(new URL('mocha-plugin.mjs', import.meta.url))],
    // Mocha would load the tests by `require`, which the hook of few-runs.mjs does not see: properties would run in full.
    testRunnerNodeArgs: ['--import=tsx', '--no-experimental-require-module'],
    mochaSpec: spec.flatMap(filesOf),
    mochaOneIn: oneIn,
    mutate,
    coverageAnalysis: 'perTest',
    ignoreStatic: isQuick,
    // Several would share the time that a mutant is given before it counts as one that never ends.
    concurrency: 1,
    // ms beside what the tests usually take. A new process loads the tests in this time, also on a busy machine; loops are
    // found sooner, by how often they run.
    timeoutMS: 60_000,
    reporters: ['progress-append-only', 'survivors'],
    logLevel: 'warn',
    // The compiler's settings are for the compiler; its version here is none that Stryker can read them with.
    tsconfigFile: 'none',
    disableTypeChecks: true,
    ignorePatterns: ['/dist', '/docs', '/deploy', '/bench', '/examples', '/reports'],
    tempDirName: join(tmpdir(), `chat-cutover-mutation-${process.pid}`),
    allowEmpty: false,
    thresholds: { high: 100, low: LEAST_SCORE, break: null },
  }).runMutationTest()
}

/** The test files of a folder, or the file itself. */
function filesOf(path) {
  if (path.endsWith('.ts')) return [path]
  return readdirSync(path)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `${path}/${name}`)
}

/** Rows of modules that were not run stay as they are. */
function writeTable(results) {
  const [first, last] = ['<!-- mutation: scores -->', '<!-- mutation: end of scores -->']
  const document = readFileSync(DOCUMENT, 'utf8')
  const begin = document.indexOf(first) + first.length
  const end = document.indexOf(last)
  if (begin < first.length || end < begin) throw new Error(`${DOCUMENT} has no ${first} … ${last}`)
  const measured = `Measured ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} processors.`
  const kept = document
    .slice(begin, end)
    .split('\n')
    .filter((line) => Object.keys(MODULES).some((name) => line.startsWith(`| ${name} |`)))
    .filter((line) => !results.some(({ name }) => line.startsWith(`| ${name} |`)))
  const [head, rule, ...rows] = table(results).split('\n')
  const text = [head, rule, ...[...kept, ...rows].sort()].join('\n')
  writeFileSync(DOCUMENT, `${document.slice(0, begin)}\n\n${measured}\n\n${text}\n\n${document.slice(end)}`)
}
