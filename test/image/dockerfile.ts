/** What `npm run image:check` understands of a Dockerfile: the instructions that ours uses, and nothing else. */

export type Step =
  | {
      readonly kind: 'copy'
      readonly from: string | undefined
      readonly sources: readonly string[]
      readonly target: string
    }
  | { readonly kind: 'run'; readonly command: string }

export interface Stage {
  readonly name: string | undefined
  readonly base: string
  /** in their order; each has the folder that was the working directory then */
  readonly steps: readonly (Step & { readonly workdir: string })[]
  readonly workdir: string
  readonly env: Readonly<Record<string, string>>
  /** `uid:gid`; undefined: root */
  readonly user: string | undefined
  readonly healthcheck: readonly string[] | undefined
  readonly command: readonly string[] | undefined
}

interface OpenStage {
  name: string | undefined
  base: string
  steps: (Step & { workdir: string })[]
  workdir: string
  env: Record<string, string>
  user: string | undefined
  healthcheck: string[] | undefined
  command: string[] | undefined
}

/** @throws Error for an instruction or a form of one that it does not know: a check that skips a line checks another image */
export function parseDockerfile(text: string): Stage[] {
  const stages: OpenStage[] = []
  for (const line of logicalLines(text)) {
    const [, word = '', rest = ''] = /^(\S+)\s+(.*)$/s.exec(line) ?? []
    if (word === 'FROM') stages.push(stageOf(rest))
    else apply(word, rest, current(stages, line))
  }
  return stages
}

function current(stages: readonly OpenStage[], line: string): OpenStage {
  const stage = stages.at(-1)
  if (stage === undefined) throw new Error(`before the first FROM: ${line}`)
  return stage
}

function logicalLines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

function stageOf(rest: string): OpenStage {
  const [, base = '', name] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? []
  if (base === '') throw new Error(`FROM ${rest}: not understood`)
  return {
    name,
    base,
    steps: [],
    workdir: '/',
    env: {},
    user: undefined,
    healthcheck: undefined,
    command: undefined,
  }
}

function apply(word: string, rest: string, stage: OpenStage): void {
  switch (word) {
    case 'WORKDIR':
      stage.workdir = rest
      return
    case 'COPY':
      stage.steps.push({ ...copyOf(rest), workdir: stage.workdir })
      return
    case 'RUN':
      stage.steps.push({ kind: 'run', command: rest, workdir: stage.workdir })
      return
    case 'ENV':
      Object.assign(stage.env, Object.fromEntries(rest.split(/\s+/).map(pairOf)))
      return
    case 'USER':
      stage.user = rest
      return
    case 'HEALTHCHECK':
      stage.healthcheck = listOf(rest.replace(/^.*?\bCMD\s+/, ''))
      return
    case 'CMD':
      stage.command = listOf(rest)
      return
    case 'EXPOSE':
      return
    default:
      throw new Error(`${word} ${rest}: this instruction is not understood`)
  }
}

function copyOf(rest: string): Step {
  const [, from, paths = ''] = /^(?:--from=(\S+)\s+)?([^-].*)$/.exec(rest) ?? []
  const words = paths.split(/\s+/).filter((word) => word !== '')
  const target = words.at(-1)
  if (target === undefined || words.length < 2) throw new Error(`COPY ${rest}: not understood`)
  return { kind: 'copy', from, sources: words.slice(0, -1), target }
}

function pairOf(pair: string): [string, string] {
  const at = pair.indexOf('=')
  if (at < 1) throw new Error(`ENV ${pair}: not understood`)
  return [pair.slice(0, at), pair.slice(at + 1)]
}

/** The form without a shell. @throws Error for the form that needs one */
function listOf(text: string): string[] {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    list = undefined
  }
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string'))
    throw new Error(`${text}: this form starts a shell; write a JSON list`)
  return list
}

/** The paths that `.dockerignore` lets in, of a file that keeps everything out first (`*`, then `!path` lines). @throws Error for another form */
export function allowedPaths(text: string): string[] {
  const [first, ...rest] = logicalLines(text)
  if (first !== '*') throw new Error('.dockerignore: the first line must be *')
  return rest.map((line) => {
    if (!line.startsWith('!')) throw new Error(`.dockerignore: ${line}: not understood`)
    return line.slice(1)
  })
}
