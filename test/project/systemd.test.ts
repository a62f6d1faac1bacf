import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { loadConfig } from '../../src/config.js'

/** deploy/systemd against the code. */

const UNIT = 'deploy/systemd/chat-cutover.service'

/** [setting, value] of each line that is one. */
const settings = readFileSync(UNIT, 'utf8')
  .split('\n')
  .filter((line) => /^[A-Z]\w+=/.test(line))
  .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
const allOf = (name: string): string[] =>
  settings.flatMap(([setting, value]) => (setting === name ? [value] : []))
const only = (name: string): string => {
  const [value, ...more] = allOf(name)
  if (value === undefined || more.length > 0) throw new Error(`${name} is there ${more.length + 1} times`)
  return value
}
const variables = Object.fromEntries(
  allOf('Environment').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
)

describe('deploy/systemd', () => {
  const credentials = allOf('LoadCredential').map((line) => line.split(':')[0])
  const config = loadConfig({
    ...Object.fromEntries(
      Object.entries(variables).filter(
        ([name]) => !name.endsWith('_FILE') || !variables[name]?.startsWith('%d/'),
      ),
    ),
    JWT_SECRET: 's'.repeat(32),
    LLM_BASE_URL: 'http://llm:8001/v1',
  })

  it('sets only variables the service reads, and secrets by credentials that are loaded', () => {
    const known = readFileSync('.env.example', 'utf8')
    for (const name of Object.keys(variables))
      if (name !== 'NODE_ENV') expect(known, name).to.contain(`\n${name}=`)
    const secrets = Object.values(variables).filter((value) => value.startsWith('%d/'))
    expect(secrets.map((value) => value.slice(3))).to.deep.equal(credentials)
  })

  it('starts what the build makes, and copies flag files there are', () => {
    const folder = only('WorkingDirectory')
    const [, script = ''] = only('ExecStart').split(' ')
    expect(existsSync(script.replace(/^dist/, 'src').replace(/\.js$/, '.ts'))).to.equal(true)
    const [, , ...files] = only('ExecStartPre').split(' ')
    const target = files.pop() ?? ''
    for (const file of files) {
      expect(existsSync(file.slice(folder.length + 1)), file).to.equal(true)
      expect([config.flags.opsFile, config.flags.overrideFile]).to.include(
        `${target}${file.split('/').at(-1)}`,
      )
    }
    expect(files).to.have.length(2)
  })

  it('writes only into its state directory', () => {
    expect(only('ProtectSystem')).to.equal('strict')
    const directories = only('StateDirectory').split(' ')
    for (const file of [config.database, config.flags.opsFile, config.flags.overrideFile]) {
      const directory = file.replace('/var/lib/', '').split('/').slice(0, -1).join('/')
      expect(directories, file).to.include(directory)
    }
  })

  it('waits longer for the end than the service drains, and lets the first process end its workers', () => {
    expect(Number(only('TimeoutStopSec')) * 1000).to.be.at.least(config.lameduckMs + config.drainMs + 5000)
    expect(only('KillMode')).to.equal('mixed')
  })

  it('allows the files that so many streams need', () => {
    expect(Number(only('LimitNOFILE'))).to.be.at.least(2 * config.maxStreams + 1000)
  })

  it('is well hardened by systemd-analyze, where there is one', function () {
    this.timeout(30_000)
    const { error, status, stdout, stderr } = spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', '--no-pager', '--threshold=20', UNIT],
      { encoding: 'utf8', timeout: 20_000 },
    )
    // This machine has no systemd-analyze.
    if (error !== undefined) return this.skip()
    expect(stderr).to.not.match(/Unknown|Failed to parse|ignoring/i)
    expect(status, `${stdout.slice(-300)}${stderr}`).to.equal(0)
  })
})
