import { ErrorCode, type EvaluationDetails, type FlagValue } from '@openfeature/server-sdk'
import { expect } from 'chai'
import { StaticAnswers } from '../../../src/decision/values/static-answers.js'

describe('the answers of flags without rules', () => {
  /** A client that answers with these details and counts what it is asked. */
  function client(given: Partial<EvaluationDetails<boolean>>) {
    let asked = 0
    let version = 0
    const answer = async <T extends FlagValue>(flagKey: string, value: T): Promise<EvaluationDetails<T>> => {
      asked += 1
      return { flagKey, flagMetadata: {}, variant: `v${asked}`, ...given, value }
    }
    const reader = new StaticAnswers(
      {
        getBooleanDetails: answer,
        getStringDetails: answer,
        getObjectDetails: answer,
      },
      () => version,
    )
    return {
      reader,
      asked: () => asked,
      change: () => {
        version += 1
      },
    }
  }

  it('are asked for once', async () => {
    const { reader, asked } = client({ reason: 'STATIC' })
    const first = await reader.getBooleanDetails('a', true, {})
    expect(await reader.getBooleanDetails('a', true, { orgId: 'other' })).to.equal(first)
    expect(asked()).to.equal(1)
    await reader.getBooleanDetails('b', true, {})
    await reader.getStringDetails('a', 'x', {})
    await reader.getObjectDetails('a', {}, {})
    expect(asked()).to.equal(4)
  })

  it('are asked for again after a change', async () => {
    const { reader, asked, change } = client({ reason: 'STATIC' })
    await reader.getBooleanDetails('a', true, {})
    change()
    expect((await reader.getBooleanDetails('a', true, {})).variant).to.equal('v2')
    expect((await reader.getBooleanDetails('a', true, {})).variant).to.equal('v2')
    expect(asked()).to.equal(2)
  })

  it('are not kept where the flags changed meanwhile', async () => {
    const { reader, change } = client({ reason: 'STATIC' })
    const asked = reader.getBooleanDetails('a', true, {})
    change()
    await asked
    expect((await reader.getBooleanDetails('a', true, {})).variant).to.equal('v2')
  })

  it('of two at once are not shared', async () => {
    const { reader, asked } = client({ reason: 'STATIC' })
    await Promise.all([reader.getBooleanDetails('a', true, {}), reader.getBooleanDetails('a', true, {})])
    expect(asked()).to.equal(2)
  })

  const others: Partial<EvaluationDetails<boolean>>[] = [
    { reason: 'TARGETING_MATCH' },
    { reason: 'DEFAULT' },
    { reason: 'ERROR', errorCode: ErrorCode.FLAG_NOT_FOUND },
    { reason: 'STATIC', errorCode: ErrorCode.PROVIDER_NOT_READY },
    {},
  ]
  for (const other of others)
    it(`${JSON.stringify(other)} is asked for each time`, async () => {
      const { reader, asked } = client(other)
      await reader.getBooleanDetails('a', true, {})
      await reader.getBooleanDetails('a', true, {})
      expect(asked()).to.equal(2)
    })
})
