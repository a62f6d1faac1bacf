import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import type { Stage } from './dockerfile.js'

/** Runs the steps of a Dockerfile as processes, each stage in a root of its own: an overlay over this machine's, which stands in for the base image. Needs a mount namespace of its own. */

export interface Root {
  /** the whole root of the stage */
  readonly path: string
  /** what its steps wrote, and nothing of this machine */
  readonly written: string
}

export interface Scratch {
  root(name: string): Root
  release(): void
}

/** A tmpfs for everything that the steps write. @throws Error where mounting is not allowed */
export function openScratch(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), 'chat-cutover-image-'))
  try {
    mount(['-t', 'tmpfs', '-o', 'size=4g', 'tmpfs', folder])
  } catch (thrown) {
    rmdirSync(folder)
    throw thrown
  }
  const mounts: string[] = []
  return {
    root(name) {
      const [path, written, work] = ['root', 'written', 'work'].map((part) => join(folder, name, part))
      if (path === undefined || written === undefined || work === undefined) throw new Error('unreachable')
      for (const one of [path, written, work]) mkdirSync(one, { recursive: true })
      mount(['-t', 'overlay', 'overlay', '-o', `lowerdir=/,upperdir=${written},workdir=${work}`, path])
      mounts.push(path)
      for (const special of ['proc', 'dev']) {
        mount(['--rbind', `/${special}`, join(path, special)])
        mounts.push(join(path, special))
      }
      return { path, written }
    },
    release() {
      for (const path of [...mounts.reverse(), folder]) spawnSync('umount', ['--lazy', path])
      // Never with its content: what is still mounted there is this machine's own /proc and /dev.
      rmdirSync(folder)
    },
  }
}

export function mount(args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('mount', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`mount ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
}

/** @param context the project's folder. @throws Error with the output of the step that failed */
export function buildStage(
  stage: Stage,
  root: Root,
  context: string,
  earlier: ReadonlyMap<string, Root>,
): void {
  for (const step of stage.steps) {
    const workdir = join(root.path, step.workdir)
    mkdirSync(workdir, { recursive: true })
    if (step.kind === 'run') runIn(root, step.workdir, stage.env, step.command)
    else {
      const from = step.from === undefined ? context : earlier.get(step.from)?.path
      if (from === undefined) throw new Error(`COPY --from=${step.from}: there is no such stage`)
      for (const source of step.sources) copyInto(join(from, source), step.target, workdir)
    }
  }
}

/** As Docker does it: a folder's content goes into the target, a file into it by its name where it ends with a slash or is a folder. */
function copyInto(source: string, target: string, workdir: string): void {
  const isFolder = statSync(source).isDirectory()
  const to = resolve(workdir, target)
  const into = !isFolder && (target.endsWith('/') || target === '.' || existsSync(to))
  const whole = into ? join(to, basename(source)) : to
  mkdirSync(dirname(whole), { recursive: true })
  cpSync(source, whole, { recursive: true, verbatimSymlinks: true })
}

function runIn(root: Root, workdir: string, env: Readonly<Record<string, string>>, command: string): void {
  const { status, stdout, stderr } = spawnSync(
    'chroot',
    [root.path, 'sh', '-c', `cd "$0" && exec sh -c "$1"`, workdir, command],
    { encoding: 'utf8', env: { ...hostEnv(), ...env }, maxBuffer: 64 * 1024 * 1024, timeout: 600_000 },
  )
  if (status !== 0) throw new Error(`RUN ${command}\nended with ${status}:\n${stdout}${stderr}`)
}

/** Where programs are, and which registry and certificates this machine uses. */
function hostEnv(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'HOME', 'NODE_EXTRA_CA_CERTS', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => kept.includes(name) || name.toLowerCase() === 'npm_config_registry',
    ),
  )
}
