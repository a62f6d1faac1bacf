import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { allowedPaths, parseDockerfile } from './dockerfile.js'

describe('the Dockerfile as the check of the image reads it', () => {
  it('is read whole: stages, steps with their folders, and how the service starts', () => {
    const [build, image] = parseDockerfile(readFileSync('Dockerfile', 'utf8'))
    expect([build?.name, image?.name]).to.deep.equal(['build', undefined])
    expect(build?.steps.map(({ kind }) => kind)).to.include.members(['copy', 'run'])
    expect(image?.steps.every((step) => step.kind === 'run' || step.workdir === '/app')).to.equal(true)
    expect(image?.env).to.include({ NODE_ENV: 'production', PORT: '3001' })
    expect(image?.user).to.equal('1000:1000')
    expect(image?.command).to.deep.equal(['node', 'dist/main.js'])
    expect(image?.healthcheck).to.deep.equal(['node', 'dist/cli/healthcheck.js'])
  })

  it('copies nothing from the folder that .dockerignore keeps out', () => {
    const allowed = allowedPaths(readFileSync('.dockerignore', 'utf8'))
    const copied = parseDockerfile(readFileSync('Dockerfile', 'utf8'))
      .flatMap(({ steps }) => steps)
      .flatMap((step) => (step.kind === 'copy' && step.from === undefined ? step.sources : []))
    expect(copied.filter((path) => !allowed.includes(path))).to.deep.equal([])
  })

  for (const [what, text] of [
    ['an instruction it does not know', 'FROM a\nADD x /x'],
    ['a start that needs a shell', 'FROM a\nCMD node main.js'],
    ['a step before the first stage', 'RUN true'],
    ['a copy with other flags', 'FROM a\nCOPY --chown=1 a b'],
  ] as const)
    it(`refuses ${what}`, () => expect(() => parseDockerfile(text)).to.throw())

  it('joins continued lines and leaves comments out', () => {
    const [stage] = parseDockerfile('FROM a AS b\n# no\nRUN one && \\\n  two\n')
    expect(stage?.steps).to.deep.equal([{ kind: 'run', command: 'one && two', workdir: '/' }])
  })
})
