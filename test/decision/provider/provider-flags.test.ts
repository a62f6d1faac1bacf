import {
  InMemoryProvider,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  type ResolutionDetails,
} from '@openfeature/server-sdk'
import { expect } from 'chai'
import type { KeptTexts } from '../../../src/core/sqlite/kept-texts.js'
import { createTurnDefaults } from '../../../src/decision/code-defaults.js'
import { ProviderFlags } from '../../../src/decision/provider/provider-flags.js'
import type { ProviderExport } from '../../../src/decision/provider/provider-module.js'
import type { FlagDocument, FlagFileContent } from '../../../src/decision/read-flag-file.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { CODE_DEFAULTS, callerOf, flagsConfig, overrideDocument } from '../../support/flag-files.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'

const MODULE = { name: './provider.mjs', url: 'file:///provider.mjs' }
const MODES = { direct: 'direct_llm', runtime: 'runtime_orchestrator' }

type Configuration = ConstructorParameters<typeof InMemoryProvider>[0] & object

const modeFlag = (defaultVariant: 'direct' | 'runtime', rest: object = {}): Configuration[string] => ({
  disabled: false,
  variants: MODES,
  defaultVariant,
  ...rest,
})
const objectFlag = (value: object): Configuration[string] => ({
  disabled: false,
  variants: { only: value as never },
  defaultVariant: 'only',
})

/** Promises go on, and the clock with them. */
const settle = async (clock: ManualClock, ms = 0): Promise<void> => {
  for (let left = ms; left >= 0; left -= 50) {
    for (let at = 0; at < 5; at += 1) await new Promise((resolve) => setImmediate(resolve))
    clock.advance(Math.min(left, 50))
  }
  for (let at = 0; at < 5; at += 1) await new Promise((resolve) => setImmediate(resolve))
}

function overrideSource() {
  let content: FlagFileContent = { kind: 'text', text: overrideDocument('off') }
  const listeners = new Set<() => void>()
  const made: FlagDocument = {
    name: 'engine/override',
    read: async () => content,
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return {
    made,
    set(variant: 'on' | 'off') {
      content = { kind: 'text', text: overrideDocument(variant) }
      for (const listener of listeners) listener()
    },
  }
}

function memoryTexts(): KeptTexts & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>()
  return {
    texts,
    keep: (name: string, text: string) => void texts.set(name, text),
    read: async (name: string) => {
      const text = texts.get(name)
      return text === undefined ? undefined : { text, at: 0 }
    },
  } as never
}

/** Answers as a test says, and counts how it is closed. */
class ScriptedProvider implements Provider {
  readonly metadata = { name: 'scripted' }
  readonly runsOn = 'server'
  readonly events = new OpenFeatureEventEmitter()
  closed = 0
  asked = 0
  answer: (key: string, fallback: unknown) => Promise<ResolutionDetails<never>> = async (_key, fallback) =>
    ({ value: fallback, reason: 'DEFAULT' }) as never

  constructor(readonly initialize: () => Promise<void> = async () => {}) {}

  resolveStringEvaluation = (key: string, fallback: string) => this.#ask<string>(key, fallback)
  resolveBooleanEvaluation = (key: string, fallback: boolean) => this.#ask<boolean>(key, fallback)
  resolveNumberEvaluation = (key: string, fallback: number) => this.#ask<number>(key, fallback)
  resolveObjectEvaluation = ((key: string, fallback: never) => this.#ask(key, fallback)) as never

  async onClose() {
    this.closed += 1
  }

  #ask<T>(key: string, fallback: unknown): Promise<ResolutionDetails<T>> {
    this.asked += 1
    return this.answer(key, fallback) as Promise<ResolutionDetails<never>>
  }
}

const mode = (value: string) => async (key: string, fallback: unknown) =>
  (key === 'chat-execution-mode'
    ? { value, reason: 'STATIC' }
    : { value: fallback, reason: 'DEFAULT' }) as never

describe('flags of a provider module', () => {
  const opened: ProviderFlags[] = []
  afterEach(() => Promise.all(opened.splice(0).map((flags) => flags.close())))

  async function open(source: Provider | ProviderExport, kept?: KeptTexts) {
    const clock = manualClock()
    const logger = capturingLogger()
    const override = overrideSource()
    const exported: ProviderExport = 'kind' in source ? source : { kind: 'provider', provider: source }
    const flags = new ProviderFlags(
      MODULE,
      flagsConfig('/nowhere/ops', '/nowhere/override'),
      createTurnDefaults(CODE_DEFAULTS),
      {
        clock,
        logger: logger.logger,
        documents: { override: override.made },
        ...(kept === undefined ? {} : { kept }),
      },
      async () => exported,
    )
    opened.push(flags)
    const starting = flags.start()
    await settle(clock, 700)
    await starting
    const faults = () => flags.status().faults.map(({ message }) => message)
    const modeOf = async (caller = callerOf(1)) => {
      const asking = flags.forTurn(caller)
      await settle(clock, 100)
      const { value, reason } = (await asking).mode
      return `${value} ${reason}`
    }
    return { flags, clock, override, faults, modeOf, lines: logger.lines }
  }

  it('come from it, by org and user, while the override comes from our own document', async () => {
    const provider = new InMemoryProvider({
      'chat-execution-mode': modeFlag('direct', {
        contextEvaluator: ({ orgId, userId }: Record<string, unknown>) =>
          orgId === 'org-1' || userId === 'user-2' ? 'runtime' : 'direct',
      }),
      'chat-runtime-guardrails': objectFlag({ errorRate: 0.2 }),
      // Whatever the provider says of our own flag: it is not asked.
      'chat-runtime-fallback': { disabled: false, variants: { on: true }, defaultVariant: 'on' },
    })
    const { flags, override, clock, faults } = await open(provider)
    expect(faults()).to.deep.equal([])
    expect([flags.status().resolver, flags.status().state, flags.origin()]).to.deep.equal([
      'provider',
      'ready',
      'source',
    ])
    const of = async (orgId: string, userId: string) => {
      const turn = await flags.forTurn({ ...callerOf(1), orgId, userId })
      return [turn.mode.value, turn.guardrails.errorRate, turn.override.on]
    }
    expect(await of('org-1', 'user-1')).to.deep.equal(['runtime_orchestrator', 0.2, false])
    expect(await of('org-2', 'user-2')).to.deep.equal(['runtime_orchestrator', 0.2, false])
    expect(await of('org-2', 'user-1')).to.deep.equal(['direct_llm', 0.2, false])
    override.set('on')
    await settle(clock, 50)
    expect(await of('org-1', 'user-1')).to.deep.equal(['runtime_orchestrator', 0.2, true])
    expect((await flags.forService()).override?.on).to.equal(true)
  })

  it('follow a change that the provider tells, and tell it on; and one that it does not tell', async () => {
    const provider = new InMemoryProvider({ 'chat-execution-mode': modeFlag('direct') })
    const { flags, clock, modeOf } = await open(provider)
    const told: string[][] = []
    flags.onChange((keys) => told.push([...keys]))
    await provider.putConfiguration({
      'chat-execution-mode': modeFlag('runtime'),
      'chat-limits': objectFlag({ maxStreams: 7 }),
      'a-flag-of-others': modeFlag('direct'),
    })
    expect(await modeOf()).to.match(/^runtime_orchestrator/)
    expect(told.flat()).to.deep.equal(['chat-execution-mode', 'chat-limits'])

    const quiet = new ScriptedProvider()
    quiet.answer = async (key, fallback) =>
      (key === 'chat-limits'
        ? { value: { maxStreams: 3 }, reason: 'STATIC' }
        : { value: fallback, reason: 'DEFAULT' }) as never
    const second = await open(quiet)
    const limit = async () => {
      const asking = second.flags.limitsFor('org-1')
      await settle(second.clock, 100)
      return asking
    }
    const before = await limit()
    quiet.answer = async (key, fallback) =>
      (key === 'chat-limits'
        ? { value: { maxStreams: 4 }, reason: 'STATIC' }
        : { value: fallback, reason: 'DEFAULT' }) as never
    expect(await limit()).to.equal(before)
    await settle(second.clock, 5_000)
    expect(await limit()).to.not.deep.equal(before)
    void clock
  })

  it('leave the choice to the environment where a flag is absent, disabled or without a value', async () => {
    for (const flag of [undefined, modeFlag('runtime', { disabled: true })]) {
      const provider = new InMemoryProvider({
        'chat-runtime-guardrails': objectFlag({ errorRate: 0.2 }),
        ...(flag === undefined ? {} : { 'chat-execution-mode': flag }),
      })
      const { modeOf, flags } = await open(provider)
      expect(await modeOf()).to.equal(`${CODE_DEFAULTS.mode} code_default`)
      expect(flags.status().state).to.equal('ready')
    }
    const unnamed = new ScriptedProvider()
    unnamed.answer = mode('runtime_orchestrator')
    const { modeOf, flags } = await open(unnamed)
    expect(await modeOf()).to.equal('runtime_orchestrator default')
    expect((await flags.forTurn(callerOf(1))).shadow).to.equal(false)
  })

  it('that are refused, or whose evaluation fails, leave the last good values, and the fault carries no key', async () => {
    const provider = new ScriptedProvider()
    provider.answer = mode('runtime_orchestrator')
    const { modeOf, faults, flags } = await open(provider)
    expect(await modeOf()).to.equal('runtime_orchestrator default')
    provider.answer = mode('sideways')
    expect(await modeOf()).to.equal('runtime_orchestrator stale')
    expect(faults().join()).to.include('is not one of')
    provider.answer = async () => {
      throw new Error('GET https://user:pw@flags.example.com/sdk/secret-key?token=abc failed')
    }
    expect(await modeOf()).to.equal('runtime_orchestrator stale')
    expect(flags.status().state).to.equal('stale')
    expect(faults().join())
      .to.include('flags.example.com')
      .and.not.match(/secret-key|abc|pw/)
  })

  it('of a provider without any flag of ours are told, and change nothing that was known', async () => {
    const provider = new InMemoryProvider({ 'chat-execution-mode': modeFlag('runtime') })
    const { flags, modeOf, faults } = await open(provider)
    expect(await modeOf()).to.match(/^runtime_orchestrator/)
    await provider.putConfiguration({ 'a-flag-of-others': modeFlag('direct') })
    await modeOf()
    expect(await modeOf()).to.equal('runtime_orchestrator stale')
    expect(flags.status().state).to.equal('stale')
    expect(faults().join()).to.include("none of this service's flags")
    await provider.putConfiguration({ 'chat-execution-mode': modeFlag('direct') })
    await modeOf()
    expect(await modeOf()).to.match(/^direct_llm (static|default)/)
    expect([flags.status().state, faults()]).to.deep.equal(['ready', []])
  })

  it('of a silent provider: a turn waits 50 ms, then no turn does, and the override is still evaluated', async () => {
    const provider = new ScriptedProvider()
    provider.answer = mode('runtime_orchestrator')
    const { flags, clock, modeOf, faults, override } = await open(provider)
    expect(await modeOf()).to.equal('runtime_orchestrator default')
    provider.answer = () => new Promise(() => {})
    expect(await modeOf()).to.equal('runtime_orchestrator stale')
    await settle(clock, 600)
    expect(faults().join()).to.include('does not answer')
    expect(flags.status().state).to.equal('stale')
    override.set('on')
    await settle(clock, 50)
    // Without a move of the clock.
    const turn = await flags.forTurn(callerOf(7))
    expect([turn.mode.value, turn.mode.reason, turn.override.on]).to.deep.equal([
      'runtime_orchestrator',
      'stale',
      true,
    ])
    expect((await flags.forService()).override?.on).to.equal(true)
    provider.answer = mode('direct_llm')
    await settle(clock, 31_000)
    expect(await modeOf()).to.equal('direct_llm default')
    expect(flags.status().state).to.equal('ready')
  })

  it('of a provider that says it is stale stay in force as stale until it is back', async () => {
    const provider = new ScriptedProvider()
    provider.answer = mode('runtime_orchestrator')
    const { flags, modeOf } = await open(provider)
    provider.events.emit(ProviderEvents.Stale)
    expect(await modeOf()).to.equal('runtime_orchestrator stale')
    expect(flags.status().state).to.equal('stale')
    provider.events.emit(ProviderEvents.Ready)
    expect(await modeOf()).to.equal('runtime_orchestrator default')
    expect(flags.status().state).to.equal('ready')
  })

  it('whose provider cannot be made or initialised: code defaults, and another one is made after a while', async () => {
    const made: ScriptedProvider[] = []
    const attempts: (() => Promise<ScriptedProvider>)[] = [
      async () => {
        throw new Error('no key')
      },
      async () => new ScriptedProvider(async () => Promise.reject(new Error('unauthorised'))),
      async () => new ScriptedProvider(),
    ]
    const { flags, clock, faults, modeOf, lines } = await open({
      kind: 'factory',
      async make() {
        const provider = await (attempts[made.length] ?? attempts[0])?.()
        if (provider === undefined) throw new Error('unexpected')
        provider.answer = mode('runtime_orchestrator')
        made.push(provider)
        return provider
      },
    })
    expect(flags.status().state).to.equal('unavailable')
    expect(faults().join()).to.include('it cannot be made (no key)')
    expect(await modeOf()).to.equal(`${CODE_DEFAULTS.mode} code_default`)
    attempts.shift()
    await settle(clock, 2_000)
    expect(lines.map(({ msg }) => msg).join()).to.include('its initialisation failed (unauthorised)')
    // It answers although its initialisation failed: so the SDK has it.
    expect(await modeOf()).to.equal('runtime_orchestrator default')
    expect([flags.status().state, faults(), made.length]).to.deep.equal(['ready', [], 1])
  })

  it('whose provider answers although its initialisation failed, and fails later: another one is made then', async () => {
    const made: ScriptedProvider[] = []
    const { flags, clock, modeOf } = await open({
      kind: 'factory',
      async make() {
        const provider = new ScriptedProvider(async () => {
          if (made.length === 1) throw new Error('unauthorised')
        })
        provider.answer = mode('runtime_orchestrator')
        made.push(provider)
        return provider
      },
    })
    await settle(clock, 10_000)
    expect([await modeOf(), made.length]).to.deep.equal(['runtime_orchestrator default', 1])
    for (const provider of made) provider.answer = () => new Promise(() => {})
    await modeOf()
    await settle(clock, 61_000)
    expect(await modeOf()).to.equal('runtime_orchestrator default')
    expect([flags.status().state, made.map(({ closed }) => closed)]).to.deep.equal(['ready', [1, 0]])
    await settle(clock, 121_000)
    expect(made.length).to.equal(2)
  })

  it('of a new provider are not stale because the one before it was', async () => {
    const made: ScriptedProvider[] = []
    let initialised: () => void = () => {}
    const { flags, clock, modeOf } = await open({
      kind: 'factory',
      async make() {
        const provider =
          made.length === 0
            ? new ScriptedProvider(() => new Promise((resolve) => (initialised = resolve)))
            : new ScriptedProvider(async () => Promise.reject(new Error('unauthorised')))
        provider.answer = mode('runtime_orchestrator')
        made.push(provider)
        return provider
      },
    })
    await settle(clock, 31_000)
    initialised()
    await settle(clock, 500)
    made[0]?.events.emit(ProviderEvents.Stale)
    expect(await modeOf()).to.equal('runtime_orchestrator stale')
    for (const provider of made) provider.answer = () => new Promise(() => {})
    await modeOf()
    await settle(clock, 61_000)
    // Not a third one: the question that the first one never answers is not waited for.
    expect([await modeOf(), made.length]).to.deep.equal(['runtime_orchestrator default', 2])
    expect(flags.status().state).to.equal('ready')
  })

  it('whose provider never ends its initialisation: told, made again, and the first one closed', async () => {
    const made: ScriptedProvider[] = []
    const { clock, faults, modeOf } = await open({
      kind: 'factory',
      async make() {
        const provider =
          made.length === 0 ? new ScriptedProvider(() => new Promise(() => {})) : new ScriptedProvider()
        provider.answer = mode('runtime_orchestrator')
        made.push(provider)
        return provider
      },
    })
    expect(faults().join()).to.include('does not answer')
    await settle(clock, 30_000)
    expect(faults().join()).to.include('has not ended within 30 s')
    await settle(clock, 2_500)
    expect(await modeOf()).to.equal('runtime_orchestrator default')
    expect([faults(), made.map(({ closed }) => closed)]).to.deep.equal([[], [1, 0]])
  })

  it('start nothing when they are closed while the module loads', async () => {
    const clock = manualClock()
    const { made } = overrideSource()
    let watched = 0
    let initialised = 0
    const provider = new ScriptedProvider(async () => {
      initialised += 1
    })
    let loaded: (source: ProviderExport) => void = () => {}
    const flags = new ProviderFlags(
      MODULE,
      flagsConfig('/nowhere/ops', '/nowhere/override'),
      createTurnDefaults(CODE_DEFAULTS),
      {
        clock,
        logger: capturingLogger().logger,
        documents: {
          override: {
            ...made,
            watch(listener) {
              watched += 1
              return made.watch(listener)
            },
          },
        },
      },
      () => new Promise((resolve) => (loaded = resolve)),
    )
    const starting = flags.start()
    await flags.close()
    loaded({ kind: 'provider', provider })
    await settle(clock, 700)
    await starting
    expect({ watched, initialised }).to.deep.equal({ watched: 0, initialised: 0 })
  })

  it('that held for everybody are kept for the next start', async () => {
    const kept = memoryTexts()
    const provider = new InMemoryProvider({
      'chat-execution-mode': modeFlag('runtime'),
      'chat-runtime-fallback-policy': {
        disabled: false,
        variants: { observe: 'observe' },
        defaultVariant: 'observe',
      },
      'chat-runtime-shadow': {
        disabled: false,
        variants: { on: true, off: false },
        defaultVariant: 'off',
        contextEvaluator: () => 'on',
      },
    })
    await open(provider, kept)
    expect([...kept.texts.values()].join())
      .to.include('runtime_orchestrator')
      .and.not.include('shadow')

    const broken: ProviderExport = {
      kind: 'factory',
      make: async () => Promise.reject(new Error('away')),
    }
    const next = await open(broken, kept)
    expect(next.flags.origin()).to.equal('kept')
    expect(next.flags.status().state).to.equal('stale')
    expect(await next.modeOf()).to.equal('runtime_orchestrator stale')
    expect((await next.flags.forService()).policy).to.equal('observe')
  })
})
