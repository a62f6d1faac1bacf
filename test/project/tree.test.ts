import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect } from 'chai'

// The compiler is a Go program: with memory for its collector, and one checker instead of four, which repeat each other's work,
// it takes less CPU time. Other tests use the second core meanwhile.
const FRUGAL = ['--checkers', '1']
const ROOMY = { ...process.env, GOGC: '400' }

function output(args: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env: ROOMY })
  return { status, text: `${stdout}${stderr}` }
}

describe('the tree', function () {
  this.timeout(120_000)

  it('is formatted and linted', () => {
    const { status, text } = output([
      'node_modules/@biomejs/biome/bin/biome',
      'check',
      '--error-on-warnings',
      '.',
    ])
    expect(status, text).to.equal(0)
  })

  it('has sound types, tests and benches among them', () => {
    const { status, text } = output(['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'test', ...FRUGAL])
    expect(status, text).to.equal(0)
  })

  it('has sound types in the console', () => {
    const { status, text } = output(['node_modules/typescript/bin/tsc', '-p', 'src/console', ...FRUGAL])
    expect(status, text).to.equal(0)
  })

  it('pins every package exactly', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
    const versions = Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies })
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).to.deep.equal([])
  })
})
