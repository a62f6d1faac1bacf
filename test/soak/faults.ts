import { setTimeout as sleep } from 'node:timers/promises'
import { errorText } from '../../src/core/errors.js'
import type { Stage } from '../chaos/stage.js'
import type { World } from './world.js'

/** Something that goes wrong, or is changed, for some seconds. */
interface Fault {
  readonly name: string
  begin(stage: Stage): Promise<void> | void
  end(stage: Stage): Promise<void> | void
}

type FlagDocument = { flags: Record<string, { defaultVariant: string | null }> }

/** s of one round: every fault once, and quiet times between them. Growth is judged by means over whole rounds. */
export const ROUND_S = 50
/** s a fault lasts, and s until the next one */
const LASTS_S = 3
const EVERY_S = 5

const runtimeFault = (name: string, faults: object): Fault => ({
  name: `runtime ${name}`,
  begin: ({ runtime }) => runtime.set({ ...faults }),
  end: ({ runtime }) => runtime.set({}),
})

const FAULTS: readonly Fault[] = [
  {
    name: 'runtime killed',
    begin: ({ runtime }) => void runtime.kill(),
    end: ({ runtime }) => runtime.restart(),
  },
  {
    name: 'runtime hung (SIGSTOP)',
    begin: ({ runtime }) => runtime.freeze(),
    end: ({ runtime }) => runtime.thaw(),
  },
  runtimeFault('answers HTTP 500', { status: 500 }),
  runtimeFault('slow', { firstContentDelayMs: 1500 }),
  runtimeFault('breaks off in mid-answer', { dropAfterEvents: 3 }),
  {
    name: 'direct LLM answers 429',
    begin: ({ llm }) => llm.set({ maxAnswers: { answers: 1, status: 429 }, retryAfter: '1' }),
    end: ({ llm }) => llm.set({}),
  },
  {
    name: 'mode changed',
    begin: (stage) => setFlag(stage, 'chat-execution-mode', 'direct_llm'),
    end: (stage) => setFlag(stage, 'chat-execution-mode', 'runtime_orchestrator'),
  },
  {
    name: 'shadows changed',
    begin: (stage) => setFlag(stage, 'chat-runtime-shadow', 'off'),
    end: (stage) => setFlag(stage, 'chat-runtime-shadow', null),
  },
  {
    name: 'fallback by hand',
    async begin({ replicas }) {
      await replicas[0]?.operator.trigger('soak')
    },
    async end({ replicas }) {
      await replicas[0]?.operator.reset()
    },
  },
]

function setFlag({ human }: Stage, flag: string, variant: string | null): void {
  const document: FlagDocument = JSON.parse(human.text)
  const found = document.flags[flag]
  if (found === undefined) throw new Error(`no flag ${flag}`)
  found.defaultVariant = variant
  human.save(`${JSON.stringify(document, null, 2)}\n`, true)
}

/**
 * Rounds of all faults, until told to stop; everything is mended at the end. The second replica is restarted in each round
 * as long as `restarts` says so, by SIGTERM and SIGKILL in turn.
 */
export async function faults(
  stage: Stage,
  world: World,
  isOver: () => boolean,
  restarts: () => boolean,
): Promise<void> {
  for (let round = 0; !isOver(); round += 1) {
    const roundEnd = performance.now() + ROUND_S * 1000
    for (const fault of FAULTS) {
      if (isOver()) return
      const next = performance.now() + EVERY_S * 1000
      await attempt(world, fault.name, () => fault.begin(stage))
      await sleep(LASTS_S * 1000)
      await attempt(world, fault.name, () => fault.end(stage))
      world.count(`faults: ${fault.name}`)
      await sleep(Math.max(0, next - performance.now()))
    }
    if (restarts()) await attempt(world, 'restart', () => restart(stage, world, round % 2 === 0))
    await sleep(Math.max(0, roundEnd - performance.now()))
  }
}

async function attempt(world: World, name: string, step: () => Promise<void> | void): Promise<void> {
  try {
    await step()
  } catch (thrown) {
    world.fault(`${name}: ${errorText(thrown)}`)
  }
}

async function restart(stage: Stage, world: World, byTerm: boolean): Promise<void> {
  const replica = stage.replica('b')
  world.leave('b', byTerm ? 'leaving' : 'killed')
  if (byTerm) {
    const code = await replica.stop()
    if (code !== 0) world.fault(`b ended with ${code}`)
  } else await replica.kill()
  await replica.start()
  world.arrive('b', replica.url)
  world.count(`restarts by ${byTerm ? 'SIGTERM' : 'SIGKILL'}`)
}
