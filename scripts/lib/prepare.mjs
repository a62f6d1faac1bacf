// Set-up shared by every command. Plain Node: it runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const STAMP = join(ROOT, 'node_modules', '.lockfile-sha256')
const LEAST_NODE = [20, 19]

export function say(text) {
  process.stderr.write(`\u2022 ${text}\n`)
}

function fail(text) {
  process.stderr.write(`\n${text}\n`)
  process.exit(1)
}

/** For a script that takes no arguments: ends the process with its usage where it gets some. */
export function takesNothing(usage) {
  const [word] = process.argv.slice(2)
  if (word === undefined) return
  const asksForHelp = ['-h', '--help'].includes(word)
  ;(asksForHelp ? process.stdout : process.stderr).write(usage)
  process.exit(asksForHelp ? 0 : 2)
}

/** Runs one command in the project's folder with its output shown; ends the process when it fails. */
export function run(command, args, what, env = process.env) {
  const { status, error, signal } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', env })
  if (error) fail(`${what}: ${command} could not be started: ${error.message}`)
  if (signal) process.exit(130)
  if (status !== 0) process.exit(status ?? 1)
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const [leastMajor, leastMinor] = LEAST_NODE
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return
  fail(
    `Node ${LEAST_NODE.join('.')} or newer is needed; this is ${process.versions.node} (${process.execPath}).`,
  )
}

/** `npm ci`, only when the lockfile (or Node's major version, for native parts) changed since the last one. */
export function install() {
  requireNode()
  const lockfile = readFileSync(join(ROOT, 'package-lock.json'))
  const wanted = createHash('sha256').update(lockfile).update(process.versions.modules).digest('hex')
  const found = existsSync(STAMP) ? readFileSync(STAMP, 'utf8') : ''
  if (found === wanted) return
  say('installing packages (npm ci; half a minute the first time) ...')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  run(npm, ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci')
  writeFileSync(STAMP, wanted)
}

/** Compiles `src/` into a fresh `dist/`. @param types false: leaves the check of types to the caller */
export function build({ types = true } = {}) {
  say('compiling src/ to dist/ ...')
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
  run(
    process.execPath,
    [
      join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'),
      '-p',
      'tsconfig.json',
      ...(types ? [] : ['--noCheck']),
    ],
    'tsc',
    // The compiler is a Go program: with memory for its collector it takes a quarter less CPU time.
    { ...process.env, GOGC: '400' },
  )
  run(process.execPath, [join(ROOT, 'scripts', 'docs-page.mjs')], 'docs-page')
  run(process.execPath, [join(ROOT, 'scripts', 'console-page.mjs')], 'console-page')
  const command = join(ROOT, 'dist', 'cli', 'main.js')
  if (existsSync(command)) chmodSync(command, 0o755)
}
