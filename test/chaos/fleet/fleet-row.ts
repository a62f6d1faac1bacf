import { EngineMissing } from '../../support/engines.js'
import { type Play, type RowResult, runPlay, skipped } from '../row.js'
import { mountTmpfs, type SmallDisk } from '../small-disk.js'
import type { FleetOptions } from './fleet-parts.js'
import { FleetStage } from './fleet-stage.js'
import { Network } from './network.js'
import { RedisNode } from './redis-node.js'

/** One drill of three replicas with their engines. */
export interface FleetRow
  extends Pick<FleetOptions, 'guardrails' | 'environment' | 'startsQuiet' | 'flagd' | 'clocks'> {
  readonly name: string
  /** of all replicas together, each with its recovery; none where the fault is not the runtime's */
  readonly trips: 0 | 1
  /** each replica trips in its own memory, because the store is away: as many entries in the journal, and one in the store */
  readonly tripsInMemory?: true
  /** ms it may take by itself to come back */
  readonly patienceMs?: number
  /** errors that the replicas log because of what is broken */
  readonly tolerates?: RegExp
  /** this engine's files are on a file system of their own, which the drill can fill */
  readonly disk?: 'postgres' | 'redis'
  /** an answer may end in `error` for readers that move; never where only an engine is away */
  readonly tellsReaders?: true
  drill(stage: FleetStage, disk: SmallDisk | undefined): Promise<readonly string[]>
}

/** What a replica logs as an error while an engine is away; never that something was lost. */
export const ENGINE_AWAY = /unavailable|53100|ECONN|terminated|timeout/

const PER_SECOND = 12
/** PostgreSQL's files when they are new, with room for its log */
const POSTGRES_DISK = '96m'
const REDIS_DISK = '16m'

/** Runs one drill from a fresh stage to its result. Never rejects. */
export async function runFleetRow(row: FleetRow): Promise<RowResult> {
  const refused = Network.refused() || RedisNode.refused()
  if (refused !== '') return skipped(playOf(row, undefined), refused)
  if (row.disk === undefined) return run(row, undefined)
  const disk = mountTmpfs(row.disk === 'postgres' ? POSTGRES_DISK : REDIS_DISK)
  if ('refused' in disk) return skipped(playOf(row, undefined), disk.refused)
  try {
    return await run(row, disk)
  } finally {
    disk.release()
  }
}

async function run(row: FleetRow, disk: SmallDisk | undefined): Promise<RowResult> {
  let missing: EngineMissing | undefined
  const play = playOf(row, disk)
  const result = await runPlay({
    ...play,
    open: () =>
      play.open().catch((thrown: unknown) => {
        if (thrown instanceof EngineMissing) missing = thrown
        throw thrown
      }),
  })
  return missing === undefined ? result : skipped(play, missing.message)
}

function playOf(row: FleetRow, disk: SmallDisk | undefined): Play<FleetStage> {
  const folder = disk === undefined ? {} : { [`${row.disk}Folder`]: disk.folder }
  return {
    ...row,
    replicas: 3,
    resolver: row.flagd === true ? 'in-process' : 'store',
    perSecond: PER_SECOND,
    open: () => FleetStage.open({ ...row, perSecond: PER_SECOND, ...folder }),
    async drill(stage) {
      const told = await row.drill(stage, disk)
      await noneTwice(stage)
      return told
    },
    after: (stage) => seenAfter(row, stage),
  }
}

async function noneTwice(stage: FleetStage): Promise<void> {
  const twice = await stage.runTwice()
  if (twice.length > 0) throw new Error(`${twice.length} turns were sent to the runtime more than once`)
}

/** What holds for every drill. */
async function seenAfter(row: FleetRow, stage: FleetStage): Promise<readonly string[]> {
  await noneTwice(stage)
  await stage.moving.stop()
  await stage.operators.stop()
  const kept = await stage.historyKept()
  const history = await stage.history()
  const of = (kind: string): number => history.filter((one) => one.kind === kind).length
  const [trips, recoveries, relapses] = [of('trip'), of('recovered'), of('relapse') + of('widened')]
  const most = row.tripsInMemory === true ? stage.replicas.length : row.trips
  if (trips < row.trips || trips > most || recoveries !== row.trips || relapses > 0)
    throw new Error(`${trips} trips, ${recoveries} recoveries, ${relapses} relapses`)
  const { moving, operators } = stage
  const broken = moving.ended.filter(({ kind }) => kind === 'broken')
  if (broken.length > 0) throw new Error(`${broken.length} moving readers: ${broken[0]?.detail}`)
  if (row.tellsReaders !== true && moving.count('told') > 0)
    throw new Error(`${moving.count('told')} moving readers were told an error`)
  const { confirmed, refused } = operators.counts
  return [
    trips === 0
      ? 'no trip'
      : `${trips} trip${trips > 1 ? 's, one in memory of each replica' : ''}, 1 recovery`,
    `${moving.count('elsewhere')} streams resumed elsewhere, ${moving.count('same')} on their own replica, ${moving.count('told')} told an error`,
    `${kept} answers in the history, each once`,
    `${confirmed} edits confirmed, ${refused} refused`,
  ]
}
