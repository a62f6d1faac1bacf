import { expect } from 'chai'
import { silentLogger } from '../../../src/core/logger.js'
import { createFlags } from '../../../src/decision/open-feature-flags.js'
import type { FlagDocument, FlagFileContent } from '../../../src/decision/read-flag-file.js'
import {
  CODE_DEFAULTS,
  callerOf,
  flagsConfig,
  opsDocument,
  overrideDocument,
} from '../../support/flag-files.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'

/** A document that a test changes; `tells` decides whether a change is told. */
function document(name: string, text: string) {
  const listeners = new Set<() => void>()
  let content: FlagFileContent = { kind: 'text', text }
  let reads = 0
  const made: FlagDocument = {
    name,
    async read() {
      reads += 1
      return content
    },
    watch(onChange) {
      listeners.add(onChange)
      return () => listeners.delete(onChange)
    },
  }
  return {
    made,
    set(next: FlagFileContent, tells = true) {
      content = next
      if (tells) for (const listener of listeners) listener()
    },
    listeners,
    reads: () => reads,
  }
}

const settle = async (clock: ManualClock, ms: number): Promise<void> => {
  clock.advance(ms)
  for (let at = 0; at < 10; at += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('flags from documents in place of files', () => {
  it('are evaluated, follow what is told, and what is not by a slow poll; the last good ones stay', async () => {
    const clock = manualClock()
    const ops = document('engine/ops', opsDocument({ mode: 'direct_llm' }))
    const override = document('engine/override', overrideDocument('off'))
    const flags = createFlags(flagsConfig('/nowhere/ops', '/nowhere/override'), CODE_DEFAULTS, {
      clock,
      logger: silentLogger,
      documents: { ops: ops.made, override: override.made },
    })
    await flags.start()
    const decided = async () => {
      const { mode, override: on } = await flags.forTurn(callerOf(1))
      return [mode.value, on.on]
    }
    expect(await decided()).to.deep.equal(['direct_llm', false])
    expect(flags.status()).to.deep.include({ state: 'ready', faults: [] })

    override.set({ kind: 'text', text: overrideDocument('on') })
    await settle(clock, 25)
    expect(await decided()).to.deep.equal(['direct_llm', true])

    ops.set({ kind: 'text', text: opsDocument({ mode: 'runtime_orchestrator' }) }, false)
    await settle(clock, 4_900)
    expect((await decided())[0]).to.equal('direct_llm')
    await settle(clock, 200)
    expect((await decided())[0]).to.equal('runtime_orchestrator')

    ops.set({ kind: 'unreadable', message: 'no connection' })
    await settle(clock, 25)
    await settle(clock, 200)
    expect((await decided())[0]).to.equal('runtime_orchestrator')
    expect(flags.status().state).to.equal('stale')
    expect(flags.status().faults).to.have.lengthOf(1)
    expect(flags.status().faults[0]).to.deep.include({ where: 'engine/ops' })

    await flags.close()
    expect([ops.listeners.size, override.listeners.size]).to.deep.equal([0, 0])
    const reads = ops.reads()
    await settle(clock, 20_000)
    expect(ops.reads()).to.equal(reads)
  })
})
