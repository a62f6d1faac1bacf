import { ErrorCode, type EvaluationDetails, type FlagValue } from '@openfeature/server-sdk'
import { expect } from 'chai'
import type { SharedField } from '../../../src/decision/check/read-fields.js'
import { SharedAnswers } from '../../../src/decision/values/shared-answers.js'

describe('the answers that turns share', () => {
  /** A client that answers with these details and counts what it is asked. */
  function client(
    fields: readonly SharedField[] | undefined,
    given: Partial<EvaluationDetails<boolean>> = {},
  ) {
    let asked = 0
    let version = 0
    const answer = async <T extends FlagValue>(flagKey: string, value: T): Promise<EvaluationDetails<T>> => {
      asked += 1
      return { flagKey, flagMetadata: {}, variant: `v${asked}`, ...given, value }
    }
    const reader = new SharedAnswers(
      { getBooleanDetails: answer, getStringDetails: answer, getObjectDetails: answer },
      {
        get version() {
          return version
        },
        fieldsRead: () => fields && new Set(fields),
      },
    )
    return {
      reader,
      asked: () => asked,
      change: () => {
        version += 1
      },
    }
  }

  it('of a flag without rules are asked for once', async () => {
    const { reader, asked } = client([])
    const first = await reader.getBooleanDetails('a', true, {})
    expect(await reader.getBooleanDetails('a', true, { orgId: 'other' })).to.equal(first)
    expect(asked()).to.equal(1)
    await reader.getBooleanDetails('b', true, {})
    await reader.getStringDetails('a', 'x', {})
    await reader.getObjectDetails('a', {}, {})
    expect(asked()).to.equal(4)
  })

  it('are asked for once for all that are the same in what the rules read', async () => {
    const { reader, asked } = client(['orgId', 'agentId'])
    const first = await reader.getStringDetails('a', 'x', { orgId: 'o', agentId: 'a', sessionId: 's' })
    const second = await reader.getStringDetails('a', 'x', { orgId: 'o', agentId: 'a', sessionId: 't' })
    expect(second).to.equal(first)
    await reader.getStringDetails('a', 'x', { orgId: 'o', agentId: 'b' })
    await reader.getStringDetails('a', 'x', { orgId: 'p', agentId: 'a' })
    expect(asked()).to.equal(3)
  })

  it('are not mixed up, whatever is in an id', async () => {
    const { reader, asked } = client(['orgId', 'agentId'])
    await reader.getStringDetails('a', 'x', { orgId: 'o 1 a', agentId: 'b' })
    await reader.getStringDetails('a', 'x', { orgId: 'o', agentId: 'a 1 b' })
    expect(asked()).to.equal(2)
    await reader.getStringDetails('a', 'x', { orgId: 'p q', agentId: 'r' })
    await reader.getStringDetails('a', 'x', { orgId: 'p', agentId: 'q r' })
    expect(asked()).to.equal(4)
  })

  it('differ where the answer without a variant would', async () => {
    const { reader, asked } = client([])
    expect((await reader.getBooleanDetails('a', true, {})).value).to.equal(true)
    expect((await reader.getBooleanDetails('a', false, {})).value).to.equal(false)
    expect(asked()).to.equal(2)
  })

  it('are asked for again after a change', async () => {
    const { reader, asked, change } = client([])
    await reader.getBooleanDetails('a', true, {})
    change()
    expect((await reader.getBooleanDetails('a', true, {})).variant).to.equal('v2')
    expect((await reader.getBooleanDetails('a', true, {})).variant).to.equal('v2')
    expect(asked()).to.equal(2)
  })

  it('are not kept where the flags changed meanwhile', async () => {
    const { reader, change } = client([])
    const asked = reader.getBooleanDetails('a', true, {})
    change()
    await asked
    expect((await reader.getBooleanDetails('a', true, {})).variant).to.equal('v2')
  })

  it('are not kept where others asked after the change, before they were there', async () => {
    const { reader, change } = client([])
    const asked = reader.getBooleanDetails('a', true, {})
    change()
    const newer = reader.getBooleanDetails('b', true, {})
    await Promise.all([asked, newer])
    expect((await reader.getBooleanDetails('a', true, {})).variant).to.equal('v3')
  })

  it('are kept for a thousand who ask, those of last', async () => {
    const { reader, asked } = client(['userId'])
    for (let user = 0; user <= 1_000; user += 1)
      await reader.getBooleanDetails('a', true, { userId: `u-${user}` })
    await reader.getBooleanDetails('a', true, { userId: 'u-1' })
    expect(asked()).to.equal(1_001)
    await reader.getBooleanDetails('a', true, { userId: 'u-0' })
    expect(asked()).to.equal(1_002)
  })

  it('of two at once are not shared', async () => {
    const { reader, asked } = client([])
    await Promise.all([reader.getBooleanDetails('a', true, {}), reader.getBooleanDetails('a', true, {})])
    expect(asked()).to.equal(2)
  })

  it('of a flag that reads more are asked for each time', async () => {
    const { reader, asked } = client(undefined, { reason: 'TARGETING_MATCH' })
    await reader.getBooleanDetails('a', true, {})
    await reader.getBooleanDetails('a', true, {})
    expect(asked()).to.equal(2)
  })

  for (const errorCode of [ErrorCode.FLAG_NOT_FOUND, ErrorCode.PROVIDER_NOT_READY, ErrorCode.GENERAL])
    it(`with ${errorCode} are asked for each time`, async () => {
      const { reader, asked } = client([], { reason: 'ERROR', errorCode })
      await reader.getBooleanDetails('a', true, {})
      await reader.getBooleanDetails('a', true, {})
      expect(asked()).to.equal(2)
    })
})
