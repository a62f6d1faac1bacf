import { expect } from 'chai'
import { sourceFiles } from '../support/imports.js'

/** Modules that others import by these names, as package.json exports them. A new one is added; none goes. */
const PROTOCOL = [
  'api',
  'baseline',
  'baseline-text',
  'events',
  'execution-codes',
  'execution-results',
  'fallback',
  'fallback-reason',
  'fallback-scope',
  'flag-edit',
  'flag-edit-record',
  'instant',
  'kept-metrics',
  'modes',
  'notice-id',
  'notification',
  'openai',
  'replay',
  'rollout',
  'rollout-text',
  'session-list',
  'shadow-pairs',
  'shadow-report',
  'transition-id',
  'transition-text',
  'transition-view',
  'turn-trace',
  'user-data',
]

describe('the exports of the package', () => {
  it('keep the names of the modules of the protocol', () => {
    const files = sourceFiles().filter((file) => file.startsWith('protocol/'))
    expect(files).to.include.members(PROTOCOL.map((name) => `protocol/${name}.ts`))
  })
})
