import { OpenFeature } from '@openfeature/server-sdk'
import { systemClock } from '../src/core/clock.js'
import { silentLogger } from '../src/core/logger.js'
import { evaluationContext } from '../src/decision/caller.js'
import { decide } from '../src/decision/decide.js'
import { FileProvider } from '../src/decision/file/file-provider.js'
import { FlagFaults } from '../src/decision/flag-faults.js'
import { createFlags } from '../src/decision/open-feature-flags.js'
import { median, type Row, row } from './statistics.js'

/** All flags of a turn through ours (last known good, parsing, decision) against the bare SDK evaluating the same flags. */
const FILES = { opsFile: 'flags/chat.flagd.json', overrideFile: 'flags/auto-fallback.flagd.json' }
const TURNS = 20_000
const RUNS = 7

export async function benchDecision(report: (text: string) => void): Promise<Row[]> {
  const config = {
    resolver: 'file' as const,
    ...FILES,
    flagd: { host: 'localhost', port: 8015, tls: false },
  }
  const defaults = {
    mode: 'direct_llm' as const,
    enabledOrgs: ['org-1'],
    shadowPercent: 10,
    totalMs: 300_000,
    errorRate: 0.5,
  }
  const flags = createFlags(config, defaults, { clock: systemClock, logger: silentLogger })
  await flags.start()
  const bare = await bareClient()
  const ours: number[] = []
  const floor: number[] = []
  try {
    for (let run = 0; run <= RUNS; run++) {
      const floorMicros = await micros((at) => bare(caller(at)))
      const oursMicros = await micros(async (at) => {
        const values = await flags.forTurn(caller(at))
        decide(values, values.override, values.rollout)
      })
      if (run === 0) continue // warm-up
      floor.push(floorMicros)
      ours.push(oursMicros)
      report(
        `decision, run ${run}/${RUNS}: bare SDK ${floorMicros.toFixed(1)} µs, ours ${oursMicros.toFixed(1)} µs`,
      )
    }
  } finally {
    await flags.close()
    await OpenFeature.close()
  }
  return [
    row(
      'decision: all flags of a turn (floor: bare SDK, same flags)',
      'µs',
      median(floor),
      median(ours),
      1.1,
    ),
  ]
}

const caller = (at: number) => ({
  orgId: `org-${at % 10}`,
  userId: `user-${at % 100}`,
  agentId: 'assistant',
  sessionId: `5f0c1f3e-0000-4000-8000-${String(at % 1000).padStart(12, '0')}`,
})

/** The same seven flags by the SDK alone, on the same provider. */
async function bareClient(): Promise<(who: ReturnType<typeof caller>) => Promise<unknown>> {
  const provider = new FileProvider({
    ...FILES,
    clock: systemClock,
    faults: new FlagFaults(systemClock, silentLogger),
    onOpsLoaded: () => {},
    onChange: () => {},
  })
  await OpenFeature.setProviderAndWait('bench-bare', provider)
  const client = OpenFeature.getClient('bench-bare')
  return async (who) => {
    const context = evaluationContext(who)
    return Promise.all([
      client.getStringDetails('chat-execution-mode', 'direct_llm', context),
      client.getBooleanDetails('chat-runtime-shadow', false, context),
      client.getBooleanDetails('chat-runtime-fallback', false, context),
      client.getBooleanDetails('chat-runtime-rollout', false, context),
      client.getObjectDetails('chat-runtime-guardrails', {}, context),
      client.getObjectDetails('chat-agent-profile', {}, context),
      client.getObjectDetails('chat-llm-route', {}, context),
    ])
  }
}

async function micros(turn: (at: number) => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  for (let at = 0; at < TURNS; at++) await turn(at)
  return ((performance.now() - startedAt) * 1000) / TURNS
}
