import { expect } from 'chai'
import type { Stored } from '../../../src/store/flag-store.js'
import { createDocumentFlagStore } from '../../../src/store/shared/document-flag-store.js'
import type { SharedDocuments } from '../../../src/store/shared/documents.js'
import { readableDocument } from '../../../src/store/shared/readable-document.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'

const MISSING: Stored = { kind: 'missing' }

/** An engine that answers when the test says so. */
function slowDocuments() {
  const waiting: { answer(stored: Stored): void; fail(error: Error): void }[] = []
  const documents: SharedDocuments = {
    nameOf: (name) => `engine/${name}`,
    read: () =>
      new Promise((resolve, reject) => {
        waiting.push({ answer: resolve, fail: reject })
      }),
    write: async () => ({ kind: 'written', hash: 'hash' }),
    faultOf: (thrown, action, name) => ({ code: 'E', message: `${action} ${name}: ${String(thrown)}` }),
    watch: () => () => undefined,
    close: async () => undefined,
  }
  return { documents, waiting }
}

const pass = async (clock: ManualClock, ms: number): Promise<void> => {
  for (let at = 0; at < 60; at += 1) {
    clock.advance(ms / 50)
    await Promise.resolve()
  }
}

describe('the calls to an engine', () => {
  it('are answered with a fault after two seconds, whatever comes later', async () => {
    const [clock, { documents, waiting }] = [manualClock(), slowDocuments()]
    const store = createDocumentFlagStore(documents, { clock, lease: 'override-lease' })
    const read = store.read()
    await pass(clock, 2_000)
    expect(await read).to.have.nested.property('fault.code', 'ETIMEDOUT')
    waiting[0]?.answer(MISSING)
    const next = store.read()
    waiting[1]?.answer(MISSING)
    expect(await next).to.deep.equal(MISSING)
  })

  it('are 64 at a time, those given up included', async () => {
    const [clock, { documents, waiting }] = [manualClock(), slowDocuments()]
    const store = createDocumentFlagStore(documents, { clock, lease: 'override-lease' })
    const reads = Array.from({ length: 64 }, () => store.read())
    expect(await store.read()).to.have.nested.property('fault.code', 'busy')
    await pass(clock, 2_000)
    await Promise.all(reads)
    expect(await store.readLease()).to.have.nested.property('fault.code', 'busy')
    waiting[0]?.answer(MISSING)
    await Promise.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    const next = store.read()
    waiting.at(-1)?.answer(MISSING)
    expect(await next).to.deep.equal(MISSING)
  })

  it('turn what the engine throws into a fault, for the evaluation of flags as well', async () => {
    const [clock, { documents, waiting }] = [manualClock(), slowDocuments()]
    const readable = readableDocument(documents, 'ops', clock)
    expect(readable.name).to.equal('engine/ops')
    const read = readable.read()
    waiting[0]?.fail(new Error('broken'))
    expect(await read).to.deep.equal({ kind: 'unreadable', message: 'read ops: Error: broken' })
  })
})
