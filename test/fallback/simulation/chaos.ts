import type { FallbackGuardrails } from '../../../src/fallback/evidence/evidence.js'
import { OVERRIDE_FLAG_KEY } from '../../../src/protocol/fallback.js'
import { scopeOf } from '../../../src/protocol/fallback-scope.js'
import { isObject, type JsonObject } from '../../../src/store/override/override-flag.js'
import type { Checks } from './checks.js'
import type { Random } from './random.js'
import type { Host, SimReplica } from './replica.js'
import type { World } from './world.js'

/** The usual thresholds, in a world where everything is faster. */
export const GUARDRAILS: FallbackGuardrails = {
  errorRate: 0.5,
  timeoutRate: 0.3,
  latencyShare: 0.8,
  totalMs: 3000,
  minSamples: 4,
  confidence: 0,
  windowSeconds: 20,
  fastWindowSeconds: 4,
  tickMs: 1000,
  probeFailures: 2,
  holdSeconds: 5,
  maxHoldSeconds: 20,
  quietSeconds: 12,
  recoverySamples: 2,
  rampPercents: [5, 25, 100],
  rampStepSeconds: 3,
  leaseSeconds: 8,
  scoped: true,
  consecutiveFailures: 5,
  firstContentP95Ms: null,
}

export interface Stage {
  readonly world: World
  readonly random: Random
  readonly checks: Checks
  readonly hosts: readonly Host[]
  /** the processes that live, by host */
  readonly replicas: Map<Host, SimReplica>
  start(host: Host): void
}

type Fault = (stage: Stage) => string

/** Faults, each as likely as it stands here often; what lasts is healed by itself. */
const FAULTS: readonly [Fault, ...Fault[]] = [
  runtimeFault,
  runtimeAgain,
  runtimeFault,
  partition,
  partition,
  sickScope,
  sickScope,
  directSick,
  pace,
  pace,
  stop,
  stop,
  noTraffic,
  unreadable,
  unwritable,
  slowStore,
  torn,
  deleted,
  handEdit,
  handEdit,
  putBack,
  trigger,
  trigger,
  reset,
  restart,
  restart,
  restartIntoNothing,
  providerFault,
  policy,
  guardrails,
  wallJump,
]

export function plan(stage: Stage, lengthMs: number): void {
  const { random, world, checks } = stage
  const count = random.whole(1, 9)
  for (let index = 0; index < count; index += 1) {
    world.scheduler.after(random.between(0, lengthMs), () => checks.note(random.pick(FAULTS)(stage)))
  }
}

/** All faults end; what a person set without an end, a person ends. */
export function heal({ world, hosts, replicas, start, checks }: Stage): void {
  checks.note('all is well')
  world.isHealed = true
  world.runtime = 'well'
  world.directSick = false
  world.directUnusable = false
  world.sick = null
  world.traffic = true
  world.pace = 'even'
  world.policy = 'auto'
  world.lateShare = 0
  world.guardrails = GUARDRAILS
  for (const host of hosts) {
    Object.assign(host, { runtime: null, unreadable: false, unwritable: false })
    if (!replicas.has(host)) start(host)
  }
  for (const replica of replicas.values()) replica.provider.condition = 'well'
}

function lasting(stage: Stage, undo: () => void): void {
  stage.world.scheduler.after(stage.random.between(500, 25_000), undo)
}

function someHost({ random, hosts }: Stage): Host | undefined {
  return hosts[random.whole(0, hosts.length - 1)]
}

function someReplica({ random, replicas }: Stage): SimReplica | undefined {
  return [...replicas.values()][random.whole(0, replicas.size - 1)]
}

function disturb({ world }: Stage): void {
  world.disturbedAt = world.now
}

function runtimeFault(stage: Stage): string {
  const { world, random } = stage
  const condition = random.pick(['dead', 'dead', 'slow', 'broken', 'half', 'grey'] as const)
  world.runtime = condition
  disturb(stage)
  lasting(stage, () => {
    world.runtime = 'well'
    disturb(stage)
    stage.checks.note('runtime well')
  })
  return `runtime ${condition}`
}

/** Healthy for about as long as a hold, then unhealthy again. */
function runtimeAgain(stage: Stage): string {
  const { world, random, checks } = stage
  const set = (condition: 'well' | 'dead' | 'broken'): void => {
    world.runtime = world.isHealed ? 'well' : condition
    disturb(stage)
    checks.note(`runtime ${world.runtime}`)
  }
  world.scheduler.after(3000, () => set('well'))
  const pauseMs = random.between(5000, 16_000)
  world.scheduler.after(pauseMs, () => set(random.pick(['dead', 'broken'])))
  world.scheduler.after(pauseMs + random.between(2000, 16_000), () => set('well'))
  set('dead')
  return 'again and again'
}

function partition(stage: Stage): string {
  const host = someHost(stage)
  if (host === undefined) return ''
  const condition = stage.random.pick(['dead', 'dead', 'broken', 'half'] as const)
  host.runtime = condition
  disturb(stage)
  lasting(stage, () => {
    host.runtime = null
    disturb(stage)
    stage.checks.note(`${host.name} reaches the runtime again`)
  })
  return `${host.name} alone: runtime ${condition}`
}

/** The runtime fails for one org or agent: most of the turns, or few. */
function sickScope(stage: Stage): string {
  const { world, random, checks } = stage
  const scope = random.pick([
    scopeOf('orgs', ['a']),
    scopeOf('orgs', ['a', 'b']),
    scopeOf('agents', ['x']),
    scopeOf('agents', ['y', 'z']),
  ])
  world.sick = scope
  disturb(stage)
  lasting(stage, () => {
    world.sick = null
    disturb(stage)
    checks.note('well for everybody')
  })
  return `sick: ${scope.dimension} ${scope.ids.join()}`
}

function directSick(stage: Stage): string {
  stage.world.directSick = true
  stage.world.directUnusable = stage.random.chance(0.5)
  disturb(stage)
  lasting(stage, () => {
    stage.world.directSick = false
    stage.world.directUnusable = false
    disturb(stage)
  })
  return 'direct LLM unhealthy'
}

function pace(stage: Stage): string {
  const { world, random } = stage
  world.pace = random.pick(['light', 'crowds'] as const)
  lasting(stage, () => {
    world.pace = 'even'
    disturb(stage)
  })
  return `turns: ${world.pace}`
}

/** One process stands still, for longer than its lease too. */
function stop(stage: Stage): string {
  const { world, random, checks } = stage
  const host = someHost(stage)
  if (host === undefined || host.stoppedUntil > world.now) return ''
  const ms = random.between(500, 15_000)
  host.stoppedUntil = world.now + ms
  world.scheduler.after(ms, () => {
    checks.note(`${host.name} goes on`)
    const replica = stage.replicas.get(host)
    if (replica !== undefined) replica.disturbedAt = world.now
  })
  return `${host.name} stands still for ${Math.round(ms)} ms`
}

function noTraffic(stage: Stage): string {
  stage.world.traffic = false
  lasting(stage, () => {
    stage.world.traffic = true
    disturb(stage)
  })
  return 'no traffic'
}

function unreadable(stage: Stage): string {
  const host = someHost(stage)
  if (host === undefined) return ''
  Object.assign(host, { unreadable: true, unwritable: true })
  lasting(stage, () => {
    Object.assign(host, { unreadable: false, unwritable: false })
    stage.checks.note(`${host.name} reads again`)
  })
  return `${host.name} cannot read`
}

function unwritable(stage: Stage): string {
  const host = someHost(stage)
  if (host === undefined) return ''
  host.unwritable = true
  lasting(stage, () => {
    host.unwritable = false
    stage.checks.note(`${host.name} writes again`)
  })
  return `${host.name} cannot write`
}

function slowStore(stage: Stage): string {
  const { world, random } = stage
  world.lateShare = random.pick([0.2, 0.6])
  lasting(stage, () => {
    world.lateShare = 0
    stage.checks.note('the store is quick again')
  })
  return 'the store is slow'
}

function torn({ world, random }: Stage): string {
  const text = world.override?.text ?? '{}'
  world.put(text.slice(0, random.whole(0, text.length - 2)), 'person')
  return 'torn'
}

function deleted({ world }: Stage): string {
  world.delete()
  return 'deleted'
}

function handEdit(stage: Stage): string {
  const { world, random, checks } = stage
  const text = world.override?.text
  const flag = text === undefined ? undefined : flagIn(text)
  if (text === undefined || flag === undefined) return ''
  const { targeting: _, metadata, ...rest } = flag
  const reason = `edit${world.history.length}`
  const told = isObject(metadata) ? metadata : {}
  const words = { ...told, manualReason: reason }
  const targeting = { if: [{ in: [{ var: 'orgId' }, ['a', 'b']] }, 'on', 'off'] }
  const rule = { if: [{ '==': [{ var: 'userId' }, 'vip'] }, 'on', 'off'] }
  const edits: readonly [Edit, ...Edit[]] = [
    ['on', { ...rest, metadata: words, defaultVariant: 'on' }],
    ['on for good', { ...rest, defaultVariant: 'on' }],
    ['off', { ...rest, metadata: metadata ?? {}, defaultVariant: 'off' }],
    ['disabled', { ...flag, state: 'DISABLED' }],
    ['some orgs', { ...rest, metadata: words, defaultVariant: 'off', targeting }],
    ['a rule', { ...rest, metadata: words, defaultVariant: 'off', targeting: rule }],
    ['texts', { ...flag, metadata: { ...words, reason: 'other words' } }],
    ['blanks', flag],
  ]
  const [name, edited] = random.pick(edits)
  if (told.manualUntil === undefined) checks.triggered(reason, undefined)
  else checks.edited(reason)
  disturb(stage)
  world.put(JSON.stringify({ flags: { [OVERRIDE_FLAG_KEY]: edited } }), 'person')
  return `hand edit: ${name}`
}
type Edit = readonly [name: string, flag: JsonObject]

function putBack(stage: Stage): string {
  const { world, random } = stage
  const older = world.history[random.whole(0, world.history.length - 1)]
  if (older === undefined || older.hash === world.override?.hash) return ''
  disturb(stage)
  world.put(older.text, 'person')
  return `put back ${older.hash}`
}

function trigger(stage: Stage): string {
  const { random, checks, world } = stage
  const replica = someReplica(stage)
  if (replica === undefined) return ''
  const reason = `manual${world.history.length}-${Math.round(world.now)}`
  const ttlSeconds = random.chance(0.8) ? random.whole(1, 20) : undefined
  const orgIds = random.chance(0.5) ? undefined : [random.pick(['a', 'b'] as const)]
  checks.triggered(reason, ttlSeconds)
  checks.commanded(replica, reason)
  replica.command({
    kind: 'trigger',
    userId: reason,
    reason,
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(orgIds === undefined ? {} : { orgIds }),
  })
  return `trigger at ${replica.host.name} ${orgIds ?? 'all'} ${ttlSeconds ?? 'for good'}`
}

function reset(stage: Stage): string {
  const replica = someReplica(stage)
  if (replica === undefined) return ''
  const userId = `reset${Math.round(stage.world.now)}`
  disturb(stage)
  stage.checks.commanded(replica, userId)
  replica.command({ kind: 'reset', userId })
  return `reset at ${replica.host.name}`
}

function restart(stage: Stage): string {
  const { replicas, random, world, start } = stage
  const replica = someReplica(stage)
  if (replica === undefined) return ''
  replica.kill()
  stage.checks.replayed(replica)
  replicas.delete(replica.host)
  world.scheduler.after(random.between(50, 8000), () => {
    if (!replicas.has(replica.host)) start(replica.host)
  })
  return `${replica.host.name} killed`
}

/** The file is away, or torn, when a process starts that knows nothing yet. */
function restartIntoNothing(stage: Stage): string {
  const { replicas, random, world, start } = stage
  const replica = someReplica(stage)
  if (replica === undefined) return ''
  const downMs = random.between(1000, 8000)
  const told = restart(stage)
  world.scheduler.after(downMs, () => {
    for (const host of stage.hosts) {
      if (replicas.has(host)) continue
      stage.checks.note(random.chance(0.5) ? deleted(stage) : torn(stage))
      start(host)
    }
  })
  return told
}

function providerFault(stage: Stage): string {
  const { random } = stage
  const replica = someReplica(stage)
  if (replica === undefined) return ''
  const condition = random.pick(['lost', 'stuck'] as const)
  replica.provider.condition = condition
  lasting(stage, () => {
    replica.provider.condition = 'well'
  })
  return `${replica.host.name}: provider ${condition}`
}

function policy(stage: Stage): string {
  const { world, random } = stage
  world.policy = random.pick(['observe', 'off'] as const)
  lasting(stage, () => {
    world.policy = 'auto'
    disturb(stage)
    stage.checks.note('policy auto')
  })
  return `policy ${world.policy}`
}

function guardrails(stage: Stage): string {
  const { world, random } = stage
  world.guardrails = {
    ...GUARDRAILS,
    holdSeconds: random.pick([2, 10]),
    rampPercents: random.pick([[5, 25, 100], [100], [1, 2, 3, 50, 100]]),
    rampStepSeconds: random.pick([1, 5]),
    minSamples: random.pick([2, 8]),
    windowSeconds: random.pick([5, 60]),
    probeFailures: random.pick([1, 3]),
    tickMs: random.pick([300, 1500]),
    scoped: random.chance(0.8),
  }
  disturb(stage)
  return 'guardrails'
}

function wallJump(stage: Stage): string {
  const host = someHost(stage)
  if (host === undefined) return ''
  const ms = stage.random.between(-86_400_000, 86_400_000)
  host.wallOffset += ms
  return `${host.name}: wall clock by ${Math.round(ms / 1000)} s`
}

function flagIn(text: string): JsonObject | undefined {
  try {
    const document: unknown = JSON.parse(text)
    const flags = isObject(document) ? document.flags : undefined
    const flag = isObject(flags) ? flags[OVERRIDE_FLAG_KEY] : undefined
    return isObject(flag) ? flag : undefined
  } catch {
    return undefined
  }
}
