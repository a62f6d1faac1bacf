import { readFileSync, writeFileSync } from 'node:fs'
import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import type { Flags, TurnFlags } from '../../src/decision/flags.js'
import { createFlags } from '../../src/decision/open-feature-flags.js'
import { createFlagSource, type FlagSource } from '../../src/flag-source/flag-source.js'
import { syncService } from '../../src/simulator/flagd/flagd-proto.js'
import {
  CODE_DEFAULTS,
  callerOf,
  flagsConfig,
  opsDocument,
  overrideDocument,
  saveByRename,
} from '../support/flag-files.js'
import { flagdKind, realFlagd, type TestFlagd } from '../support/flagd.js'
import { RawFlagdClient } from '../support/flagd-raw-client.js'
import { freePort } from '../support/free-port.js'
import { rejection } from '../support/rejection.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { until } from '../support/until.js'

describe('the source of flags for flagd', () => {
  const directory = temporaryDirectory()
  const opsFile = () => directory.path('chat.flagd.json')
  const overrideFile = () => directory.path('auto-fallback.flagd.json')
  let port = 0
  let sources: FlagSource[] = []
  let clients: RawFlagdClient[] = []
  let opened: Flags[] = []

  beforeEach(async () => {
    port = await freePort()
    writeFileSync(opsFile(), opsDocument({ mode: 'direct_llm' }))
    writeFileSync(overrideFile(), overrideDocument('off'))
  })
  afterEach(async () => {
    await Promise.all(opened.map((flags) => flags.close()))
    for (const client of clients) client.close()
    await Promise.all(sources.map((source) => source.close()))
    ;[sources, clients, opened] = [[], [], []]
  })

  async function start(): Promise<FlagSource> {
    const source = createFlagSource({
      host: '127.0.0.1',
      port,
      opsFile: opsFile(),
      overrideFile: overrideFile(),
      documents: {},
      clock: systemClock,
      logger: silentLogger,
    })
    sources.push(source)
    await source.start()
    return source
  }

  function client(): RawFlagdClient {
    const made = new RawFlagdClient(port)
    clients.push(made)
    return made
  }

  const flagsIn = (message: Record<string, unknown> | undefined) =>
    JSON.parse(String(message?.flagConfiguration)).flags

  /** What a turn would do, by the flags from this port; they are those of the files. */
  async function turnsBy(resolver: 'in-process' | 'rpc', from: number): Promise<() => Promise<TurnFlags>> {
    const flags = createFlags(
      flagsConfig('/nowhere/ops', '/nowhere/override', resolver, from),
      CODE_DEFAULTS,
      { clock: systemClock, logger: silentLogger },
    )
    opened.push(flags)
    await flags.start()
    await until('the flags', () => flags.status().state === 'ready')
    const turn = async () => flags.forTurn(callerOf(1))
    expect((await turn()).mode.value).to.equal('direct_llm')
    expect((await turn()).override.on).to.equal(false)
    return turn
  }

  it('gives a provider all flags, and an override', async () => {
    await start()
    const turn = await turnsBy('in-process', port)
    saveByRename(overrideFile(), overrideDocument('on'))
    await until('the override', async () => (await turn()).override.on)
    saveByRename(opsFile(), opsDocument({ mode: 'runtime_orchestrator' }))
    await until('the mode', async () => (await turn()).mode.value === 'runtime_orchestrator')
  })

  it('pushes the whole configuration at each change, and not what is refused', async () => {
    await start()
    const stream = client().stream(syncService, 'SyncFlags')
    await stream.until(1)
    expect(Object.keys(flagsIn(stream.messages[0]))).to.have.members([
      'chat-execution-mode',
      'chat-runtime-fallback',
    ])
    saveByRename(overrideFile(), '{"flags": ')
    saveByRename(opsFile(), opsDocument({ mode: 'runtime_orchestrator' }))
    await stream.until(2)
    expect(flagsIn(stream.messages[1])['chat-runtime-fallback'].defaultVariant).to.equal('off')
    saveByRename(overrideFile(), readFileSync(overrideFile(), 'utf8').slice(0, 5))
    saveByRename(overrideFile(), overrideDocument('on'))
    await stream.until(3)
    expect(flagsIn(stream.messages[2])['chat-runtime-fallback'].defaultVariant).to.equal('on')
    expect(stream.messages).to.have.length(3)
  })

  it('answers the other two calls', async () => {
    await start()
    const all = await client().call(syncService, 'FetchAllFlags', {})
    expect(Object.keys(flagsIn(all))).to.include('chat-runtime-fallback')
    expect(await client().call(syncService, 'GetMetadata', {})).to.have.property('metadata')
  })

  it('ends its streams with UNAVAILABLE, and frees its port', async () => {
    const source = await start()
    const stream = client().stream(syncService, 'SyncFlags')
    await stream.until(1)
    await source.close()
    expect(await stream.ended()).to.equal(status.UNAVAILABLE)
    await start()
  })

  it('sends nothing before it has flags', async () => {
    writeFileSync(opsFile(), '{torn')
    await start()
    expect(await client().stream(syncService, 'SyncFlags').ended()).to.equal(status.UNAVAILABLE)
    expect(await rejection(client().call(syncService, 'FetchAllFlags', {}))).to.have.property(
      'code',
      status.UNAVAILABLE,
    )
    saveByRename(opsFile(), opsDocument({ mode: 'direct_llm' }))
    await until('the flags', async () => {
      const answered = await client()
        .call(syncService, 'FetchAllFlags', {})
        .catch(() => undefined)
      return answered !== undefined
    })
  })

  it('says that its port is taken', async () => {
    await start()
    expect(String(await rejection(start()))).to.match(/EADDRINUSE|No address added/)
  })

  // What flagd does with the source: only a real one can tell. The simulator takes no source but files.
  if (flagdKind === 'flagd')
    describe('the real flagd behind it', function () {
      this.timeout(30_000)
      let flagd: TestFlagd
      beforeEach(async () => {
        flagd = await realFlagd([{ uri: `127.0.0.1:${port}`, provider: 'grpc' }])
      })
      afterEach(() => flagd.close())

      for (const resolver of ['in-process', 'rpc'] as const)
        it(`serves its flags by resolver ${resolver}, each change, and after its restart`, async () => {
          const source = await start()
          await flagd.start()
          const flagdPort = resolver === 'rpc' ? flagd.evaluationPort : flagd.syncPort
          const turn = await turnsBy(resolver, flagdPort)
          saveByRename(overrideFile(), overrideDocument('on'))
          await until('the override', async () => (await turn()).override.on)

          await source.close()
          saveByRename(overrideFile(), overrideDocument('off'))
          saveByRename(opsFile(), opsDocument({ mode: 'runtime_orchestrator' }))
          expect((await turn()).override.on).to.equal(true)
          await start()
          await until(
            'what changed meanwhile',
            async () => {
              const now = await turn()
              return !now.override.on && now.mode.value === 'runtime_orchestrator'
            },
            15_000,
          )
        })

      it('is ready once that is there', async () => {
        const ready = flagd.start()
        await start()
        await ready
      })
    })
})
