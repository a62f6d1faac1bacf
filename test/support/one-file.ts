import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

/** Within the project, so that packages with native parts are found from there. */
const FOLDER = resolve('node_modules', '.cache', 'test-processes')
const made = new Map<string, Promise<string>>()

/**
 * A program of `dist/` and all that it imports, packages included, as one file: more than a thousand files cost a process most
 * of the CPU time of its start. Kept until `dist/` changes, and shared by the processes that run tests. Paths beside a module,
 * like those of the console's files, still lead into `dist/`.
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
  const outfile = join(FOLDER, `${name}-${versionOfDist()}.mjs`)
  const present = readdirSync(FOLDER).filter((file) => file.startsWith(`${name}-`))
  if (present.some((file) => join(FOLDER, file) === outfile)) return outfile
  for (const file of present) if (file.endsWith('.mjs')) rmSync(join(FOLDER, file), { force: true })
  const unfinished = `${outfile}.${process.pid}`
  await build({
    entryPoints: [entry],
    outfile: unfinished,
    bundle: true,
    external: ['libsql', 'jsonc-parser'],
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    plugins: [ownPlace],
    // For packages in the older module format.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  })
  renameSync(unfinished, outfile)
  return outfile
}

/** Keeps each module's own address, which one file for all would lose. */
const ownPlace: Plugin = {
  name: 'own-place',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]dist[\\/][^.]*\.js$/ }, ({ path }) =>
      path.includes('node_modules')
        ? undefined
        : {
            contents: readFileSync(path, 'utf8').replaceAll(
              'import.meta.url',
              JSON.stringify(pathToFileURL(path).href),
            ),
          },
    )
  },
}

function versionOfDist(): string {
  const hash = createHash('sha256')
  for (const file of readdirSync('dist', { recursive: true, encoding: 'utf8' }).sort()) {
    if (!file.endsWith('.js')) continue
    const { mtimeMs, size } = statSync(join('dist', file))
    hash.update(`${file} ${mtimeMs} ${size}\n`)
  }
  return hash.update(readFileSync('package-lock.json')).digest('hex').slice(0, 16)
}
