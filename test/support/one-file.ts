import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

/** Within the project, so that packages with native parts are found from there. */
const FOLDER = resolve('node_modules', '.cache', 'test-processes')
const made = new Map<string, Promise<string>>()

/**
 * A program of `dist/` and all that it imports, packages included, as one file: more than a thousand files cost a process most
 * of the CPU time of its start. The first process keeps its compiled code beside the file, which takes another third off (a
 * server a second after its start, so that no test of an end meets it; a command at its end). Kept until `dist/` changes, and
 * shared by the processes that run tests. Paths beside a module, like those of the console's files, still lead into `dist/`.
 * @param entry path below the repository's root, like `dist/main.js`
 */
export function oneFile(entry: string): Promise<string> {
  const known = made.get(entry) ?? make(entry)
  made.set(entry, known)
  return known
}

async function make(entry: string): Promise<string> {
  mkdirSync(FOLDER, { recursive: true })
  const name = entry.replaceAll(/[/.]/g, '-')
  const version = `${name}-${versionOfDist()}`
  const outfile = join(FOLDER, `${version}.cjs`)
  const present = readdirSync(FOLDER).filter((file) => file.startsWith(`${name}-`))
  if (present.includes(`${version}.cjs`)) return outfile
  for (const file of present) if (!file.startsWith(version)) rmSync(join(FOLDER, file), { force: true })
  const code = join(FOLDER, `${version}.code`)
  const unfinished = `${code}.${process.pid}`
  await build({
    entryPoints: [entry],
    outfile: unfinished,
    bundle: true,
    external: ['libsql', 'jsonc-parser'],
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    charset: 'ascii',
    // `import()` of a known name becomes `require`: compiled code that is kept cannot import.
    supported: { 'dynamic-import': false },
    logLevel: 'error',
    plugins: [ownPlace],
  })
  renameSync(unfinished, code)
  const starter = STARTER.replace('CODE', JSON.stringify(code)).replace(
    'IS_COMMAND',
    String(entry.startsWith('dist/cli/')),
  )
  writeFileSync(`${outfile}.${process.pid}`, starter)
  renameSync(`${outfile}.${process.pid}`, outfile)
  return outfile
}

/** Runs the code as a module in the older format, from what an earlier process compiled where there is that. */
const STARTER = `
// As in scripts/lib/compile-tests.mjs: optimized later. Before the code is compiled, as what is kept holds for these flags alone.
if (process.version.startsWith('v20.')) require('node:v8').setFlagsFromString('--interrupt-budget=500000')
const { readFileSync, renameSync, writeFileSync } = require('node:fs')
const { Script } = require('node:vm')
const code = CODE
const kept = code + '.compiled'
let cachedData
try {
  cachedData = readFileSync(kept)
} catch {}
const script = new Script('(function (exports, require, module, importOwnModule) {' + readFileSync(code, 'latin1') + '\\n})', {
  filename: code,
  cachedData,
})
if (cachedData === undefined || script.cachedDataRejected) {
  const keep = () => {
    try {
      writeFileSync(kept + '.' + process.pid, script.createCachedData())
      renameSync(kept + '.' + process.pid, kept)
    } catch {}
  }
  if (IS_COMMAND) process.once('exit', keep)
  else setTimeout(keep, 1_000).unref()
}
script.runInThisContext()(exports, require, module, (url) => import(url))
`

/** Keeps each module's own address, which one file for all would lose; the older format does not know `await` outside functions. */
const ownPlace: Plugin = {
  name: 'own-place',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]dist[\\/][^.]*\.js$/ }, ({ path }) =>
      path.includes('node_modules')
        ? undefined
        : {
            contents: readFileSync(path, 'utf8')
              // A command's first line, and what the older format does not know or does otherwise.
              .replace(/^#!.*/, '')
              .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
              .replaceAll('import(url)', 'importOwnModule(url)')
              .replace(/^(process\.exitCode = )?await .*$/gm, 'void (async () => { $& })()'),
          },
    )
  },
}

function versionOfDist(): string {
  // How the file is made, and from what.
  const hash = createHash('sha256').update(`${STARTER} ${ownPlace.setup}`)
  for (const file of readdirSync('dist', { recursive: true, encoding: 'utf8' }).sort()) {
    if (!file.endsWith('.js')) continue
    const { mtimeMs, size } = statSync(join('dist', file))
    hash.update(`${file} ${mtimeMs} ${size}\n`)
  }
  return hash.update(readFileSync('package-lock.json')).digest('hex').slice(0, 16)
}
