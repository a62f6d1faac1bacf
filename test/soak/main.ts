import { cpus, loadavg } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { errorText } from '../../src/core/errors.js'
import { DRILL } from '../chaos/guardrails.js'
import { Stage } from '../chaos/stage.js'
import { writeBetween } from '../support/measured-tables.js'
import { faults, ROUND_S } from './faults.js'
import { fill } from './fill.js'
import { reader, watcher } from './operators.js'
import { people } from './people.js'
import { GRACE_MS } from './person-turns.js'
import { Samples } from './samples.js'
import { countTable, judge, restTable, trendTable } from './table.js'
import { type Asked, askedOf, USAGE } from './usage.js'
import { World } from './world.js'

/** `npm run soak`: the service over a long time. */

const DOCUMENT = 'docs/reliability.md'
const PEOPLE = 8
const WATCHERS = 3
const SAMPLE_MS = 5000
/** The database is walked through for its sizes. */
const DATABASE_EVERY = 10
/** s from the end of the fill until growth is judged; streams are kept for 5 min after their end */
const WARM_UP_S = 360
/** of the run: the second replica is restarted until then; then the caches are filled */
const RESTARTS_SHARE = 1 / 5
/** A shorter run cannot judge growth, so it fills no caches. */
const LEAST_MINUTES = 30
const PROGRESS_MS = 60_000
/** ms without any client before what is left open is counted; kept connections to upstreams are closed by then */
const REST_MS = 10_000

const say = (text: string): void => void process.stderr.write(`\u2022 ${text}\n`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.exit(await main(process.argv.slice(2)))

async function main(argv: readonly string[]): Promise<number> {
  const asked = askedOf(argv)
  switch (asked.kind) {
    case 'wrong':
      process.stderr.write(`${asked.fault}\n\n${USAGE}`)
      return 2
    case 'help':
      process.stdout.write(USAGE)
      return 0
    case 'run':
      return soak(asked)
  }
}

async function soak({ minutes, write }: Extract<Asked, { kind: 'run' }>): Promise<number> {
  const loadBefore = loadavg()[0] ?? 0
  const stage = await Stage.open({
    replicas: 2,
    perSecond: 0,
    guardrails: DRILL,
    // As shipped, overload protection too: what it keeps may grow as well.
    limits: {},
    lookEveryMs: 50,
    environment: {
      NODE_OPTIONS: `--import=${pathToFileURL(resolve('test/soak/probe.mjs')).href} --disable-warning=ExperimentalWarning`,
      CHAT_RUNTIME_SHADOW_PERCENT: '30',
      CHAT_SHADOW_KEEP_CONTENT: 'true',
      CHAT_RECONNECT_GRACE_MS: String(GRACE_MS),
    },
  })
  const world = new World((fault) => say(`FAILED: ${fault}`))
  const samples = new Samples(stage.parts.database)
  let judgedFrom = WARM_UP_S
  try {
    for (const replica of stage.replicas) await samples.takeAtRest(replica)
    for (const { name, url } of stage.replicas) world.arrive(name, url)
    judgedFrom += await run(stage, world, samples, minutes)
    await end(stage, world, samples)
  } catch (thrown) {
    world.fault(errorText(thrown))
  } finally {
    world.agent.destroy()
    await stage.close()
  }
  const judged = samples.all.map((series) => judge(series, judgedFrom, ROUND_S))
  const turns = [...world.counts].reduce(
    (sum, [what, count]) => sum + (what.startsWith('turns that ended') ? count : 0),
    0,
  )
  const { first, last } = samples.journal
  const text = [
    `Measured ${new Date().toISOString().slice(0, 10)}, ${minutes} min, Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, load average ${loadBefore.toFixed(1)} before. ${turns} turns read to their end, ${world.get('sessions stuck')} sessions stuck, ${world.faultCount} faults. What is kept by age in the database grew by ${((last - first) / 1_048_576).toFixed(1)} MB.`,
    trendTable(judged),
    restTable(samples.atRest),
    countTable(world.counts),
  ].join('\n\n')
  process.stdout.write(`\n${text}\n`)
  for (const fault of world.faults) process.stdout.write(`FAILED: ${fault}\n`)
  if (write) {
    writeBetween(DOCUMENT, '<!-- soak -->', '<!-- end of soak -->', text)
    say(`the table is written into ${DOCUMENT}`)
  }
  return world.faultCount === 0 && !judged.some(({ grows }) => grows) ? 0 : 1
}

/** Gives when the caches were full, s from the start of the run; 0 where they were not filled. */
async function run(stage: Stage, world: World, samples: Samples, minutes: number): Promise<number> {
  const startedAt = performance.now()
  const passedS = (): number => (performance.now() - startedAt) / 1000
  const share = (): number => passedS() / (minutes * 60)
  let isWell = false
  // People go on until all is well again: a recovery waits for turns.
  const isOver = (): boolean => isWell
  let filledAt = 0
  let filling = Promise.resolve()
  const beginFill = (): void => {
    say('fills the caches')
    filling = fill(world, isOver)
      .then(() => {
        filledAt = passedS()
        say(`the caches are full after ${(filledAt / 60).toFixed(1)} min`)
      })
      .catch((thrown) => world.fault(`the caches were not filled: ${errorText(thrown)}`))
  }
  let fillBegan = minutes < LEAST_MINUTES
  /** Asked at the end of each round, with both replicas running. */
  const restarts = (): boolean => {
    if (share() < RESTARTS_SHARE) return true
    if (!fillBegan) beginFill()
    fillBegan = true
    return false
  }
  const breaking = async (): Promise<void> => {
    try {
      await faults(stage, world, () => share() >= 1, restarts)
      await mended(stage)
    } finally {
      isWell = true
    }
    await filling
  }
  const actors = [
    ...Array.from({ length: PEOPLE }, (_, lane) => people(world, lane, isOver)),
    ...Array.from({ length: WATCHERS }, (_, lane) => watcher(world, lane, isOver)),
    reader(world, isOver),
    breaking(),
    sample(stage, samples, world, passedS, isOver),
  ]
  const progress = setInterval(() => {
    say(
      `${(passedS() / 60).toFixed(0)} of ${minutes} min: ${world.get('turns that ended in done')} answers, ${world.get('people')} people, ${world.faultCount} faults; ${samples.newest}`,
    )
  }, PROGRESS_MS)
  try {
    await Promise.all(actors)
  } finally {
    clearInterval(progress)
  }
  return filledAt
}

async function sample(
  stage: Stage,
  samples: Samples,
  world: World,
  passedS: () => number,
  isOver: () => boolean,
): Promise<void> {
  const pids = new Map<string, number>()
  for (let n = 0; !isOver(); n += 1) {
    const next = performance.now() + SAMPLE_MS
    for (const replica of stage.replicas) {
      try {
        // SIGUSR2 would end a process that is still starting.
        if (!world.targets.some(({ name }) => name === replica.name)) continue
        const { pid } = replica
        if (pids.get(replica.name) !== pid) samples.forget(replica.name)
        pids.set(replica.name, pid)
        await samples.takeOf(replica, passedS())
      } catch (thrown) {
        // A restart meanwhile is no problem; a replica that takes calls has to answer.
        if (
          world.targets.some(
            ({ name, url }) => name === replica.name && replica.isRunning && url === replica.url,
          )
        )
          say(`no sample of ${replica.name}: ${errorText(thrown)}`)
      }
    }
    if (n % DATABASE_EVERY === 0) samples.takeOfDatabase(passedS())
    await sleep(Math.max(0, next - performance.now()))
  }
}

async function mended(stage: Stage): Promise<void> {
  await stage.runtime.set({})
  await stage.llm.set({})
  await stage.backToNormal()
}

/** After the last client has left: what is still open, and how every process ends. */
async function end(stage: Stage, world: World, samples: Samples): Promise<void> {
  world.agent.destroy()
  await sleep(REST_MS)
  for (const replica of stage.replicas) await samples.takeAtRest(replica)
  for (const fault of stage.watch.faults) world.fault(`override: ${fault}`)
  for (const replica of stage.replicas) {
    const code = await replica.stop()
    if (code !== 0) world.fault(`${replica.name} ended with ${code}`)
    for (const line of replica.errors) world.fault(`${replica.name} logged ${line}`)
  }
}
