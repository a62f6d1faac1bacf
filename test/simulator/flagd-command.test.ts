import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'chai'
import { parseFlagdArguments } from '../../src/simulator/flagd-command.js'
import { bundled } from '../support/bundled.js'
import { stringFlags, useFlagd, within } from '../support/flagd-fixture.js'

const faultOf = (...argv: string[]) => {
  try {
    parseFlagdArguments(argv)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

describe('flagd simulator, command line', () => {
  it('takes the shipped files and the next port when nothing is said', () => {
    expect(parseFlagdArguments(['--port', '8013'])).to.deep.equal({
      host: '127.0.0.1',
      port: 8013,
      controlPort: 8014,
      files: ['flags/chat.flagd.json', 'flags/auto-fallback.flagd.json'],
    })
    expect(parseFlagdArguments(['--port', '0'])).to.include({ port: 0, controlPort: 0 })
  })

  it('takes files one by one and as flagd writes its sources', () => {
    const sources = '[{"uri":"b.json","provider":"fsnotify"},{"uri":"c.json","provider":"file","interval":5}]'
    const argv = [
      '--port',
      '1',
      '--control-port',
      '9',
      '--host',
      '::1',
      '--flags',
      'a.json',
      '--sources',
      sources,
    ]
    expect(parseFlagdArguments(argv)).to.deep.equal({
      host: '::1',
      port: 1,
      controlPort: 9,
      files: ['a.json', 'b.json', 'c.json'],
    })
  })

  it('asks for help before anything else', () => {
    expect(parseFlagdArguments(['--help'])).to.equal(undefined)
  })

  it('says what is wrong', () => {
    expect(faultOf()).to.equal('--port is required')
    expect(faultOf('--port', '65536')).to.equal('--port must be a port (0 to 65535), not "65536"')
    expect(faultOf('--port', '1', '--control-port', 'x')).to.contain('--control-port must be a port')
    expect(faultOf('--port', '1', '--sources', '{')).to.equal('--sources must be JSON')
    expect(faultOf('--port', '1', '--sources', '[{"uri":"a","provider":"grpc"}]')).to.contain(
      '--sources: 0.provider',
    )
    expect(faultOf('--port', '1', '--flag', 'a')).to.contain('--flag')
    expect(faultOf('--port', '65535')).to.contain('--control-port')
  })
})

describe('flagd simulator, process', () => {
  const flagd = useFlagd()

  function run(...argv: string[]) {
    const child = spawn(process.execPath, [bundled('src/simulator/main.ts'), 'flagd', ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const errors: string[] = []
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()))
    const lines = createInterface({ input: child.stdout })
    return { child, errors, firstLine: once(lines, 'line'), ended: once(child, 'close') }
  }

  it('prints one line when it listens, and ends at once on SIGTERM', async () => {
    const { child, firstLine, ended } = run(
      '--port',
      '0',
      '--flags',
      flagd().write('a.json', stringFlags({ a: 'x' })),
    )
    try {
      const [line] = await within(firstLine, 'the first line')
      const { msg, url, port, controlPort } = JSON.parse(String(line))
      expect({ msg, url }).to.deep.equal({ msg: 'listening', url: `http://127.0.0.1:${controlPort}` })
      expect((await fetch(`${url}/readyz`)).status).to.equal(200)
      const client = connect(port, '127.0.0.1')
      await within(once(client, 'connect'), 'a connection')
      const closed = once(client, 'close')
      client.on('error', () => {})
      client.resume()
      child.kill('SIGTERM')
      const [code] = await within(ended, 'the end', 2000)
      expect(code).to.equal(0)
      await within(closed, 'the connection broken')
    } finally {
      child.kill('SIGKILL')
    }
  })

  it('ends with 1 and the reason when a file is missing', async () => {
    const file = join(flagd().directory, 'no.json')
    const { child, errors, ended } = run('--port', '0', '--flags', file)
    try {
      const [code] = await within(ended, 'the end')
      expect({ code, error: errors.join('') }).to.deep.equal({
        code: 1,
        error: `flagd simulator: flag file not found: ${file}\n`,
      })
    } finally {
      child.kill('SIGKILL')
    }
  })
})
