import { readFileSync } from 'node:fs'
import { errorText } from '../../src/core/errors.js'
import { entriesOf, faultsOf, licencesOf, placesOf, sizesOf } from './contents.js'
import { allowedPaths, parseDockerfile } from './dockerfile.js'
import { buildStage, openScratch, type Root } from './layers.js'
import { tryStart } from './start.js'

/** `npm run image:check`: runs the steps of the Dockerfile without Docker, looks at all they wrote, and starts the service as compose does. */

const USAGE = `Usage: npm run image:check

Runs the steps of the Dockerfile in roots of their own (this machine stands in for the base image), looks at every file that
is in the image for development packages, secrets, set-user-id bits and what the service could change, and starts the service
as docker-compose.yml does: read-only, as its user, without capabilities, without a shell. Needs root on Linux.
Not checked: the base image itself. The workflow "ci" builds the real image and scans it.
`
/** faults that are printed one by one */
const SHOWN = 50
const say = (text: string): void => void process.stderr.write(`• ${text}\n`)
const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.exit(await main(process.argv.slice(2)))

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length > 0) {
    const isHelp = argv[0] === '--help' || argv[0] === '-h'
    ;(isHelp ? process.stdout : process.stderr).write(USAGE)
    return isHelp ? 0 : 2
  }
  try {
    const faults = await check()
    for (const fault of faults.slice(0, SHOWN)) process.stdout.write(`✖ ${fault}\n`)
    if (faults.length > SHOWN) process.stdout.write(`✖ and ${faults.length - SHOWN} more\n`)
    process.stdout.write(
      faults.length === 0 ? 'The image is as it should be.\n' : `${faults.length} faults\n`,
    )
    return faults.length === 0 ? 0 : 1
  } catch (thrown) {
    process.stderr.write(`image:check: ${errorText(thrown)}\n`)
    return 1
  }
}

async function check(): Promise<string[]> {
  allowedPaths(readFileSync('.dockerignore', 'utf8'))
  const stages = parseDockerfile(readFileSync('Dockerfile', 'utf8'))
  const image = stages.at(-1)
  if (image === undefined) throw new Error('the Dockerfile has no stage')
  const scratch = openScratch()
  // Also when the process is ended by a signal: the mounts go with its namespace, the folder does not.
  process.once('exit', () => scratch.release())
  const roots = new Map<string, Root>()
  for (const [index, stage] of stages.entries()) {
    const name = stage.name ?? `stage-${index}`
    say(`stage ${name}: ${stage.steps.length} steps (a minute in all) ...`)
    const root = scratch.root(name)
    buildStage(stage, root, process.cwd(), roots)
    roots.set(name, root)
  }
  const root = roots.get(image.name ?? `stage-${stages.length - 1}`)
  if (root === undefined) throw new Error('unreachable')
  const entries = entriesOf(root.written)
  process.stdout.write(
    `${entries.length} entries in the image beside its base, ${placesOf(entries).length} packages\n` +
      sizesOf(entries)
        .map(([part, bytes]) => `  ${part}: ${mib(bytes)}\n`)
        .join('') +
      `licences: ${licencesOf(root.written, entries)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')}\n`,
  )
  const user = Number((image.user ?? '0').split(':')[0])
  const faults = faultsOf(root.written, entries, readFileSync('package-lock.json', 'utf8'), user)
  say('starting it: read-only, without capabilities, without a shell ...')
  return [...faults, ...(await tryStart(image, root))]
}
