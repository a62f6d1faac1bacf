import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { parse } from 'yaml'
import { z } from 'zod'

/** What is built, by which workflows, of which packages, and what the image may do. */

const permissionsSchema = z.record(z.string(), z.enum(['read', 'write', 'none']))
const stepSchema = z.object({
  uses: z.string().optional(),
  run: z.string().optional(),
  with: z.record(z.string(), z.unknown()).optional(),
})
const workflowSchema = z.object({
  on: z.record(z.string(), z.unknown()),
  permissions: permissionsSchema,
  jobs: z.record(
    z.string(),
    z.object({
      permissions: permissionsSchema.optional(),
      'timeout-minutes': z.number(),
      if: z.string().optional(),
      environment: z.string().optional(),
      steps: z.array(stepSchema),
    }),
  ),
})

const FOLDER = '.github/workflows'
const workflows = readdirSync(FOLDER).map((name) => {
  const text = readFileSync(`${FOLDER}/${name}`, 'utf8')
  return { name, text, ...workflowSchema.parse(parse(text)) }
})

const workflow = (name: string) => {
  const found = workflows.find((one) => one.name === name)
  if (found === undefined) throw new Error(`there is no ${name}`)
  return found
}

const runsOf = (name: string, job: string): string =>
  (workflow(name).jobs[job]?.steps ?? []).map(({ run }) => run ?? '').join('\n')

describe('the workflows', () => {
  it('use actions by their full hash, with the version beside it, the same everywhere', () => {
    const pins = workflows.flatMap(({ text }) => [...text.matchAll(/uses: (\S+)(.*)$/gm)])
    expect(pins.length).to.be.greaterThan(4)
    const hashes = new Map<string, string>()
    for (const [whole, action = '', rest = ''] of pins) {
      expect(action, whole).to.match(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/)
      expect(rest, whole).to.match(/^ # v\d+\.\d+\.\d+$/)
      const [name = '', hash = ''] = action.split('@')
      expect(hashes.get(name) ?? hash, name).to.equal(hash)
      hashes.set(name, hash)
    }
  })

  it('may read the code and nothing else, but for the identity of the one that publishes', () => {
    const rights = workflows.flatMap(({ name, permissions, jobs }) =>
      [permissions, ...Object.values(jobs).map((job) => job.permissions ?? {})].flatMap((one) =>
        Object.entries(one).map(([scope, right]) => `${name} ${scope}: ${right}`),
      ),
    )
    expect(rights.filter((right) => !right.endsWith(' contents: read'))).to.deep.equal([
      'release.yml id-token: write',
    ])
    const { publish } = workflow('release.yml').jobs
    expect([publish?.if, publish?.environment]).to.deep.equal(["vars.PUBLISH == 'true'", 'release'])
  })

  it('run nothing that a stranger wrote with more rights than theirs, and hold no secret', () => {
    for (const { name, on, text, jobs } of workflows) {
      expect(Object.keys(on), name).not.to.include.members(['pull_request_target'])
      expect(Object.keys(on), name).not.to.include.members(['workflow_run'])
      expect(text, name).not.to.contain('secrets.')
      for (const { run = '' } of Object.values(jobs).flatMap(({ steps }) => steps))
        expect(run, `${name}: an expression of the event in a shell line`).not.to.match(/\$\{\{\s*github\./)
    }
  })

  it('build the image, start it with the fewest rights, and scan it', () => {
    const steps = runsOf('ci.yml', 'image')
    for (const part of [
      'docker build',
      '--read-only',
      '--cap-drop ALL',
      'no-new-privileges',
      'healthcheck.js',
    ])
      expect(steps).to.contain(part)
    const scan = workflow('ci.yml').jobs.image?.steps.find(({ uses }) =>
      uses?.startsWith('anchore/scan-action@'),
    )
    const built = /--tag (\S+)/.exec(steps)?.[1]
    expect(built).not.to.equal(undefined)
    expect(scan?.with).to.include({ image: built, 'severity-cutoff': 'high' })
  })

  it('look for known faults of packages, and release with a bill of materials and provenance', () => {
    expect(runsOf('ci.yml', 'audit')).to.contain('npm audit --omit=dev')
    const made = runsOf('release.yml', 'package')
    for (const step of ['npm audit --omit=dev', 'npm audit signatures', '--sbom-format cyclonedx', '.ci/run'])
      expect(made).to.contain(step)
    expect(runsOf('release.yml', 'publish')).to.contain('npm publish --provenance')
  })
})

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      dev: z.boolean().optional(),
      license: z.string().optional(),
      integrity: z.string().optional(),
      hasInstallScript: z.boolean().optional(),
    }),
  ),
})
const manifestSchema = z.object({
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
  allowScripts: z.record(z.string(), z.boolean()),
})

describe('the packages', () => {
  const manifest = manifestSchema.parse(JSON.parse(readFileSync('package.json', 'utf8')))
  const { packages } = lockSchema.parse(JSON.parse(readFileSync('package-lock.json', 'utf8')))
  const installed = Object.entries(packages).filter(([path]) => path !== '')

  it('are pinned exactly, and each by the hash of its content', () => {
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }))
      expect(version, name).to.match(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
    const loose = installed.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true)
    expect(loose.map(([path]) => path)).to.deep.equal([])
  })

  it('run no script when they are installed', () => {
    expect(Object.values(manifest.allowScripts)).not.to.include(true)
    const withScript = installed.filter(([, { hasInstallScript }]) => hasInstallScript === true)
    const names = withScript.map(([path]) => path.split('node_modules/').at(-1) ?? '')
    expect(names.filter((name) => manifest.allowScripts[name] === undefined)).to.deep.equal([])
  })

  it('may be given on with the image, by their licences', () => {
    const free = new Set([
      'MIT',
      'Apache-2.0',
      'ISC',
      'BSD-2-Clause',
      'BSD-3-Clause',
      'BlueOak-1.0.0',
      '0BSD',
      '(MIT OR CC0-1.0)',
    ])
    // Names none. koa-sse-stream brings it in by way of the package `stream`, which the service never loads.
    const unnamed = new Set(['node_modules/emitter-component'])
    const others = installed.filter(
      ([path, { dev, license }]) => dev !== true && !free.has(license ?? '') && !unnamed.has(path),
    )
    expect(others.map(([path, { license }]) => `${path}: ${license}`)).to.deep.equal([])
  })
})

describe('the image', () => {
  const stages = readFileSync('Dockerfile', 'utf8')
    .replaceAll('\\\n', ' ')
    .split(/^(?=FROM )/m)
    .filter((stage) => stage.startsWith('FROM '))
  const final = (stages.at(-1) ?? '').split('\n')
  const lines = (word: string): string[] => final.filter((line) => line.startsWith(`${word} `))

  it('runs as a user without rights, told by number, from its last line to its end', () => {
    expect(lines('USER')).to.deep.equal(['USER 1000:1000'])
    const user = final.indexOf('USER 1000:1000')
    expect(final.slice(user).filter((line) => /^(RUN|COPY|ADD) /.test(line))).to.deep.equal([])
  })

  it('starts and is checked without a shell', () => {
    expect(lines('CMD')).to.deep.equal(['CMD ["node", "dist/main.js"]'])
    expect(lines('HEALTHCHECK').join()).to.match(/CMD \["node", "dist\/cli\/healthcheck\.js"\]$/)
    expect(lines('ENTRYPOINT')).to.deep.equal([])
  })

  it('holds production packages, the compiled service and flags, and no secret', () => {
    expect(lines('COPY')).to.deep.equal([
      'COPY --from=build /app/node_modules ./node_modules',
      'COPY --from=build /app/dist ./dist',
      'COPY package.json ./',
      'COPY flags ./flags',
    ])
    expect(stages[0]).to.contain('npm prune --omit=dev')
    expect(stages.join('')).not.to.match(/^ADD /m)
    expect(stages.join('')).not.to.match(/(ENV|ARG) .*(SECRET|KEY|TOKEN|PASSWORD)/)
  })

  it('needs no right and writes to its mounts alone', () => {
    const compose = z
      .object({ services: z.object({ chat: z.record(z.string(), z.unknown()) }) })
      .parse(parse(readFileSync('docker-compose.yml', 'utf8')))
    expect(compose.services.chat).to.deep.include({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      tmpfs: ['/tmp'],
    })
  })
})
