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
    // A package asks for the place of a call when it is loaded: V8 then looks for all lines of the text.
    minifyWhitespace: true,
    // A module in the older format. Not added by the starter, which would copy the whole text.
    banner: { js: '(function (exports, require, module, importOwnModule) {' },
    footer: { js: '})' },
    legalComments: 'none',
    logLevel: 'error',
    plugins: [ownPlace, withoutHttp2, parsedJson],
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

/**
 * Runs the code as a module in the older format, from what an earlier process compiled where there is that. Some flags of V8 save
 * CPU time once they are set: functions are optimized later (as in scripts/lib/compile-tests.mjs), the memory for new objects
 * grows at once, and one thread alone collects it. What is compiled holds for the same flags alone: so they are set before our
 * code is compiled, but after Node's own modules are loaded, whose compiled code is part of Node, and not for a worker.
 */
const STARTER = `
const { readFileSync, renameSync, writeFileSync } = require('node:fs')
const { builtinModules } = require('node:module')
const v8 = require('node:v8')
const { Script } = require('node:vm')
const workers = require('node:worker_threads')
const code = CODE
const kept = code + '.compiled'
let cachedData
try {
  for (const name of readFileSync(kept + '.builtin', 'latin1').split(' ')) require('node:' + name)
  cachedData = readFileSync(kept)
} catch {}
if (process.version.startsWith('v20.')) {
  const set = (...flags) => flags.forEach((flag) => v8.setFlagsFromString(flag))
  const unset = () => set('--interrupt-budget=67584', '--semi-space-growth-factor=2', '--parallel-scavenge')
  set('--interrupt-budget=500000', '--semi-space-growth-factor=16', '--no-parallel-scavenge')
  const { Worker } = workers
  workers.Worker = function (...args) {
    unset()
    return new Worker(...args)
  }
}
const script = new Script(readFileSync(code, 'latin1'), { filename: code, cachedData })
if (cachedData === undefined || script.cachedDataRejected) {
  const keepAs = (path, content) => {
    writeFileSync(path + '.' + process.pid, content)
    renameSync(path + '.' + process.pid, path)
  }
  const keep = () => {
    try {
      const loaded = new Set(process.moduleLoadList)
      // Those that begin with _ are parts of others, which must load them.
      const names = builtinModules.filter((name) => !name.startsWith('_') && loaded.has('NativeModule ' + name))
      keepAs(kept + '.builtin', names.join(' '))
      keepAs(kept, script.createCachedData())
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

/** `got` loads it for HTTP/2, which nothing here asks for, and it makes a TLS socket while it loads: 30 ms of each start. */
const withoutHttp2: Plugin = {
  name: 'without-http2',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]http2-wrapper[\\/]source[\\/]index\.js$/ }, () => ({
      contents: 'module.exports = {}',
    }))
  },
}

/** Large tables, like those of media types: parsed as JSON they load faster than as code. */
const parsedJson: Plugin = {
  name: 'parsed-json',
  setup({ onLoad }) {
    onLoad({ filter: /node_modules[\\/].*\.json$/ }, ({ path }) => ({
      contents: `module.exports = JSON.parse(${JSON.stringify(readFileSync(path, 'utf8'))})`,
    }))
  },
}

function versionOfDist(): string {
  // How the file is made, and from what.
  const hash = createHash('sha256').update(readFileSync(join('test', 'support', 'one-file.ts')))
  for (const file of readdirSync('dist', { recursive: true, encoding: 'utf8' }).sort()) {
    if (!file.endsWith('.js')) continue
    const { mtimeMs, size } = statSync(join('dist', file))
    hash.update(`${file} ${mtimeMs} ${size}\n`)
  }
  return hash.update(readFileSync('package-lock.json')).digest('hex').slice(0, 16)
}
