import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT } from './prepare.mjs'

/** Within the project, so that packages are found from there. */
const FOLDER = join('node_modules', '.cache', 'compiled-tests')
const SOURCES = ['src', 'test', 'bench', 'examples']
/** found by the compiled modules at the same place beside them */
const BESIDE = ['package.json', 'dist', 'flags']
const NOT_OURS = /(^|[\\/])node_modules([\\/]|$)/

/**
 * V8 optimizes a function later, in bytes of its code that have run: what most tests run never earns back the time of the compiler.
 * Takes a tenth off the CPU time of tests that start no process. Node 20 knows this flag; 22 and 24 do not.
 */
const LATER = 'interrupt-budget'
const LATER_BYTES = 500_000

/**
 * Compiles the tests and what they import once, file by file, each at the same path below one folder. Node then loads them
 * without a loader, which every process that runs tests would need for itself.
 * @returns the arguments for mocha that come before those that were given
 */
export async function compileTests() {
  const { build } = await import('esbuild')
  process.chdir(ROOT)
  rmSync(FOLDER, { recursive: true, force: true })
  const files = SOURCES.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => !NOT_OURS.test(file))
      .map((file) => join(folder, file)),
  )
  await build({
    entryPoints: files.filter((file) => /(?<!\.d)\.tsx?$/.test(file)),
    outdir: FOLDER,
    outbase: '.',
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'error',
  })
  for (const file of files.filter((name) => /\.(mjs|cjs)$/.test(name))) cpSync(file, join(FOLDER, file))
  for (const name of BESIDE) symlinkSync(join(ROOT, name), join(FOLDER, name))
  const { spec, ...options } = JSON.parse(readFileSync('.mocharc.json', 'utf8'))
  const config = join(FOLDER, 'mocharc.json')
  writeFileSync(
    config,
    JSON.stringify({ ...options, 'node-option': ['enable-source-maps', ...optimizingLater()] }),
  )
  return { config, spec: spec.map(compiled) }
}

/** The programs that many tests start, each as one file: made once here, rather than by every process that runs tests. */
export async function makePrograms() {
  const { oneFile } = await import(pathToFileURL(join(ROOT, compiled('test/support/one-file.ts'))).href)
  await Promise.all(['dist/main.js', 'dist/simulator/main.js', 'dist/cli/main.js'].map(oneFile))
}

const optimizingLater = () =>
  execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' }).includes(` --${LATER} `)
    ? [`${LATER}=${LATER_BYTES}`]
    : []

/** @param {string} name a test file, or a pattern for several */
export const compiled = (name) => join(FOLDER, relative(ROOT, resolve(name))).replace(/\.ts$/, '.js')
