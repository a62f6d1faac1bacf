import { scopeOfAuto } from '../../src/store/override/override.js'
import { GUARDRAILS, heal, plan, type Stage } from './simulation/chaos.js'
import { Checks, Violation } from './simulation/checks.js'
import { parsedOf } from './simulation/content.js'
import { Random } from './simulation/random.js'
import { type Host, SimReplica } from './simulation/replica.js'
import { Scheduler } from './simulation/scheduler.js'
import { World } from './simulation/world.js'

/**
 * A world of replicas on one store, run by a seed: the same seed gives the same schedule to the last event. True time,
 * clocks that disagree, faults, people; the machine is the real one, and so are the windows and the documents.
 */

export interface Played {
  readonly transitions: number
  readonly ticks: number
  readonly revision: number
  /** true ms from the end of all faults until every replica was normal again */
  readonly healedMs: number
  readonly kinds: ReadonlyMap<string, number>
  readonly trace: readonly string[]
}

/** true ms of liveness: the longest hold, a lease of somebody dead, the ramp, a write's longest pause, a time to live */
const HEALED_MS = 200_000
const TAIL_MS = 6000
const DAY_MS = 86_400_000

/** @throws Violation whose message names the rule, the seed and the instant */
export function play(seed: number, options: { readonly trace?: boolean } = {}): Played {
  return watched(seed, options.trace === true, (world, random, checks) =>
    run(stageOf(world, random, checks, random.whole(1, 4))),
  )
}

/** The same world, with faults by the test's own hand; the rules are held as ever. */
export function playScene(
  seed: number,
  hosts: number,
  act: (stage: Stage, pass: (ms: number) => void) => void,
): void {
  watched(seed, false, (world, random, checks) => {
    act(stageOf(world, random, checks, hosts), (ms) => world.scheduler.runUntil(world.now + ms))
  })
}

function watched<T>(
  seed: number,
  tracing: boolean,
  run: (world: World, random: Random, checks: Checks) => T,
): T {
  const random = new Random(seed)
  const scheduler = new Scheduler()
  const world = new World(scheduler, random, GUARDRAILS)
  const checks = new Checks(world)
  checks.tracing = tracing
  try {
    return run(world, random, checks)
  } catch (thrown) {
    if (!(thrown instanceof Error) || thrown.name === 'AssertionError') throw thrown
    const trace = checks.trace.length === 0 ? '' : `\n${checks.trace.join('\n')}`
    const told = thrown instanceof Violation ? thrown.message : (thrown.stack ?? thrown.message)
    throw new Violation(`seed ${seed} at ${(scheduler.now / 1000).toFixed(3)} s: ${told}${trace}`)
  }
}

function run(stage: Stage): Played {
  const { world, random, checks, replicas } = stage
  const { scheduler } = world
  const chaosMs = random.between(5000, 35_000)
  plan(stage, chaosMs)
  scheduler.runUntil(chaosMs)
  heal(stage)
  const healedAt = scheduler.now
  scheduler.after(40_000, () => endManual(stage))
  let healedMs: number
  do {
    scheduler.runUntil(healedAt + HEALED_MS, () => isAllNormal(stage))
    if (!isAllNormal(stage)) checks.fail(`(g) not normal again: ${explain(stage)}`)
    healedMs = scheduler.now - healedAt
    // What the windows still hold may trip once more.
  } while (!hadQuietTail(stage))
  for (const replica of replicas.values()) checks.replayed(replica)
  checks.allTold(replicas.values())
  const ticks = [...replicas.values()].reduce((sum, replica) => sum + replica.ticks, 0)
  const { transitions, kinds, trace } = checks
  return { transitions, ticks, revision: revisionIn(stage), healedMs, kinds, trace }
}

/** (l): nothing happens, and nothing is kept of it. False where something did happen. */
function hadQuietTail({ world, checks, replicas }: Stage): boolean {
  const { transitions } = checks
  const before = new Map([...replicas.values()].map((replica) => [replica, replica.changedTicks]))
  world.scheduler.runUntil(world.now + TAIL_MS)
  if (checks.transitions !== transitions) return false
  // The proof of the last write, trips that are forgotten (decided, written, seen), the lease that is let go.
  for (const [replica, changed] of before)
    if (replica.changedTicks - changed > 6)
      checks.fail(`(l) ${replica.changedTicks - changed} changes while nothing happened`)
  return true
}

/**
 * What a person set for everybody and for good, a person ends: no evidence reaches the automatic layer under it. So too
 * what a person wrote into the file, with an end by a wall clock that is a day off.
 */
function endManual({ replicas, checks, world }: Stage): void {
  for (const replica of replicas.values()) {
    const { auto, manual } = replica.state.known
    // One for orgs keeps the recovery shadows of a fallback for these same orgs away.
    const isWaiting = manual.scope === 'all' || scopeOfAuto(auto) !== undefined
    const isForPerson = manual.scope !== 'none' && manual.until === undefined && isWaiting
    if (manual.scope === 'none' || (!isForPerson && !world.wasEdited)) continue
    checks.note('reset at last')
    replica.command({ kind: 'reset', userId: 'admin' })
    return
  }
}

function stageOf(world: World, random: Random, checks: Checks, count: number): Stage {
  const replicas = new Map<Host, SimReplica>()
  const hosts = Array.from({ length: count }, (_, at) => hostOf(random, at))
  let nonce = 0
  const start = (host: Host): void => {
    nonce += 1
    checks.note(`${host.name} starts`)
    replicas.set(host, new SimReplica(world, host, random, checks, `n${nonce}`))
  }
  for (const host of hosts) start(host)
  return { world, random, checks, hosts, replicas, start }
}

function hostOf(random: Random, at: number): Host {
  return {
    name: `r${at + 1}`,
    origin: random.between(0, 1e7),
    rate: random.between(0.99, 1.01),
    wallOffset: random.between(-DAY_MS, DAY_MS),
    unreadable: false,
    unwritable: false,
    runtime: null,
    turnMs: random.between(200, 900),
    stoppedUntil: 0,
  }
}

function isAllNormal(stage: Stage): boolean {
  const revision = revisionIn(stage)
  for (const { state, provider } of stage.replicas.values()) {
    const { known, isolated, store } = state
    const isNormal = known.auto.state === 'normal' && (known.manual.scope === 'none' || isForGood(state))
    if (!isNormal || isolated || state.starting || store.dirtyAt !== null) return false
    if (known.revision !== revision || provider.view?.revision !== revision) return false
  }
  return true
}

/** A person set it without an end: nothing but a person ends it, and it is none of the faults. */
function isForGood({ known: { manual } }: SimReplica['state']): boolean {
  return manual.scope !== 'none' && manual.until === undefined
}

function revisionIn({ world }: Stage): number {
  const parsed = world.override === undefined ? undefined : parsedOf(world.override.text)
  return parsed?.kind === 'override' ? parsed.override.revision : -1
}

function explain(stage: Stage): string {
  const states = [...stage.replicas.values()].map(({ host, state, provider }) =>
    JSON.stringify({
      host: host.name,
      provider: provider.view?.revision,
      ...state,
      reports: state.reports.length,
    }),
  )
  return [`store ${revisionIn(stage)}`, ...states].join('\n')
}
