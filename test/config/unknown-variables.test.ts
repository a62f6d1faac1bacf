import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { unknownText, unknownVariables } from '../../src/config/unknown-variables.js'

const told = (names: readonly string[]): unknown[] =>
  unknownVariables(Object.fromEntries(names.map((name) => [name, 'x']))).map(({ name, meant }) =>
    meant.length === 0 ? name : [name, ...meant],
  )

describe('variables that the service does not know', () => {
  it('are told with the one that was meant: a slip, a word that is missing, a prefix too much', () => {
    expect(told(['CHAT_RUNTME_SHADOW_PERCENT', 'CHAT_SHADOW_PERCENT'])).to.deep.equal([
      ['CHAT_RUNTME_SHADOW_PERCENT', 'CHAT_RUNTIME_SHADOW_PERCENT'],
      ['CHAT_SHADOW_PERCENT', 'CHAT_RUNTIME_SHADOW_PERCENT', 'CHAT_SHADOW_AA_PERCENT'],
    ])
    expect(
      told(['CHAT_FLAG_SOURC_PORT', 'CHAT_MODE', 'RUNTIME_URL', 'CHAT_LLM_MODEL', 'JWT_SECRET_FILES']),
    ).to.deep.equal([
      ['CHAT_FLAG_SOURC_PORT', 'CHAT_FLAG_SOURCE_PORT'],
      ['CHAT_LLM_MODEL', 'LLM_MODEL'],
      ['CHAT_MODE', 'CHAT_EXECUTION_MODE'],
      ['JWT_SECRET_FILES', 'JWT_SECRET_FILE'],
      ['RUNTIME_URL', 'RUNTIME_SERVICE_URL'],
    ])
  })

  it('are told without a guess where several may be meant, or none', () => {
    expect(told(['CHAT_MS', 'CHAT_WINDOW'])).to.deep.equal(['CHAT_MS', 'CHAT_WINDOW'])
  })

  it('are not those of others: other programs, Kubernetes, the command line, the tests', () => {
    expect(
      told([
        'PATH',
        'REDIS_URL',
        'LLM_PROXY',
        'FLAGD_SYNC_PORT',
        'RUNTIME_VERSION',
        'CHAT_URL',
        'CHAT_TOKEN',
        'CHAT_REQUIRE_ENGINES',
        'CHAT_TEST_REDIS_URL',
        // of a Service named chat-cutover, and of one named chat
        'CHAT_CUTOVER_SERVICE_HOST',
        'CHAT_CUTOVER_SERVICE_PORT_HTTP',
        'CHAT_PORT',
        'CHAT_PORT_80_TCP',
        'CHAT_PORT_80_TCP_ADDR',
      ]),
    ).to.deep.equal([])
  })

  it('are none in .env.example, nor where they are empty', () => {
    const names = [...readFileSync('.env.example', 'utf8').matchAll(/^#? ?([A-Z][A-Z_]+)=/gm)].map(
      ([, name = '']) => name,
    )
    expect(names).to.include('CHAT_DATABASE_FILE').and.to.include('FLAGD_PORT')
    expect(told(names)).to.deep.equal([])
    expect(unknownVariables({ CHAT_MODE: ' ' })).to.deep.equal([])
    expect(unknownText([])).to.equal(undefined)
  })
})
